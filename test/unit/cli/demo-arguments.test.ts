import { expect, test } from 'bun:test';
import { parseDemoArguments } from '../../../src/cli/demo/arguments.ts';

const defaults = { nodes: 3, backend: 'vxlan', store: 'sqlite', families: [4, 6], keep: false, json: false };

test.each([
  [[], {}],
  [['--nodes', '50'], { nodes: 50 }],
  [['--nodes=1', '--backend=host-gw'], { nodes: 1, backend: 'host-gw' }],
  [['--backend', 'vxlan', '--keep', '--json'], { keep: true, json: true }],
  [['--store', 'etcd', '--nodes', '2'], { store: 'etcd', nodes: 2 }],
  [['--ipv4-only'], { families: [4] }],
  [['--ipv6-only', '--ipv6-only'], { families: [6] }],
])('parseDemoArguments() reads %j', (args, changed) => {
  expect<unknown>(parseDemoArguments(args)).toEqual({ ok: true, value: { ...defaults, ...changed } });
});

test('parseDemoArguments() knows when help is wanted', () => {
  expect(parseDemoArguments(['--nodes', '2', '--help', '--nonsense'])).toEqual({ ok: true, value: 'help' });
  expect(parseDemoArguments(['-h'])).toEqual({ ok: true, value: 'help' });
});

test.each([
  [['--nodes', '0'], "'--nodes' must be a number from 1 to 50, found '0'"],
  [['--nodes', '51'], "'--nodes' must be a number from 1 to 50, found '51'"],
  [['--nodes', '3x'], "'--nodes' must be a number from 1 to 50, found '3x'"],
  [['--nodes='], "'--nodes' must be a number from 1 to 50, found ''"],
  [['--nodes'], "'--nodes' must be a number from 1 to 50, found nothing"],
  [['--backend', 'udp'], "'--backend' must be vxlan or host-gw, found 'udp'"],
  [['--store', 'zk'], "'--store' must be one of sqlite, etcd, kube, found 'zk'"],
  [['--keep=yes'], "'--keep' takes no value, found 'yes'"],
  [['--ipv4-only', '--ipv6-only'], "'--ipv4-only' and '--ipv6-only' leave no family"],
  [['--node', '3'], "Unknown argument '--node' (see 'flannelette demo --help')"],
  [['3'], "Unknown argument '3' (see 'flannelette demo --help')"],
])('parseDemoArguments() refuses %j in one line', (args, error) => {
  expect(parseDemoArguments(args)).toEqual({ ok: false, error });
});
