/** What contradicts itself, although each part is right by itself. @module */
import { describe, expect, test } from 'bun:test';
import { contradiction, unusedAddresses } from '../../../src/config/contradictions.ts';
import { describeConfigError } from '../../../src/config/error.ts';
import { parseNetConf } from '../../../src/config/net-conf.ts';
import { parseSettings } from '../../../src/config/settings.ts';

function told(argv: readonly string[], netConf: object) {
  const parsed = parseSettings({ argv: ['--lease-db=/l.db', ...argv], env: {}, hostName: 'pi-1', cwd: '/' });
  const network = parseNetConf(JSON.stringify(netConf));
  if (!parsed.ok || parsed.value.kind !== 'settings' || !network.ok) throw new Error('It was refused');
  return { ...parsed.value, network: network.value.config };
}

function lineOf(argv: readonly string[], netConf: object, env: Record<string, string> = {}): string {
  const parsed = parseSettings({ argv: ['--lease-db=/l.db', ...argv], env, hostName: 'pi-1', cwd: '/' });
  if (!parsed.ok) return describeConfigError(parsed.error);
  const network = parseNetConf(JSON.stringify(netConf));
  if (!network.ok) return describeConfigError(network.error);
  if (parsed.value.kind !== 'settings') return parsed.value.kind;
  const error = contradiction({ ...parsed.value, network: network.value.config });
  return error === undefined ? 'fine' : describeConfigError(error);
}

const IPV4 = { Network: '10.42.0.0/16', Backend: { Type: 'vxlan' } };
const IPV6 = { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd42::/48', Backend: { Type: 'vxlan' } };
const BOTH = { ...IPV4, EnableIPv6: true, IPv6Network: 'fd42::/48' };
const HOST_GW = { ...BOTH, Backend: { Type: 'host-gw' } };
const OWN = "expected an interface between the nodes, not the agent's own device";

describe('contradiction() finds', () => {
  test.each([
    [
      ['--public-ip=10.42.7.1'],
      BOTH,
      "public-ip: invalid value '10.42.7.1', expected an address outside the pod network 10.42.0.0/16",
    ],
    [
      ['--public-ipv6=fd42::1'],
      BOTH,
      "public-ipv6: invalid value 'fd42::1', expected an address outside the pod network fd42::/48",
    ],
    [
      ['--iface=eth0', '--iface=fd42:0:0:1::1'],
      BOTH,
      "iface: invalid value 'fd42:0:0:1::1', expected an address outside the pod network fd42::/48",
    ],
    [
      ['--iface-can-reach=10.42.0.1'],
      HOST_GW,
      "iface-can-reach: invalid value '10.42.0.1', expected an address outside the pod network 10.42.0.0/16",
    ],
    [['--iface=flannel.1'], BOTH, `iface: invalid value 'flannel.1', ${OWN}`],
    [['--iface=flannel-v6.1'], BOTH, `iface: invalid value 'flannel-v6.1', ${OWN}`],
  ] as const)('contradiction() between %j and %j', (argv, netConf, line) => {
    expect(lineOf(argv, netConf)).toBe(line);
  });

  test('contradiction() names the variable', () => {
    expect(lineOf([], BOTH, { FLANNELD_PUBLIC_IP: '10.42.0.9' })).toStartWith('FLANNELD_PUBLIC_IP: ');
  });
});

test.each([
  // An address of the other family names an interface as well as its name does.
  [['--iface=fd77::1', '--iface-can-reach=2001:db8::1'], IPV4],
  [['--iface=192.0.2.1'], IPV6],
  [['--public-ip=192.0.2.1', '--public-ipv6=2001:db8::1'], BOTH],
  [['--iface=flannel.1'], HOST_GW],
  [['--iface=flannel.2'], BOTH],
  // A family that is off has no pods.
  [['--iface=fd42::1'], { ...IPV4, IPv6Network: 'fd42::/48' }],
  [[], BOTH],
] as const)('contradiction() finds none between %j and %j', (argv, netConf) => {
  expect(lineOf(argv, netConf)).toBe('fine');
});

describe('parseSettings() refuses two files of one path', () => {
  test.each([
    [
      ['--subnet-file=/l.db'],
      "subnet-file: invalid value '/l.db', expected another path than that of lease-db",
    ],
    [
      ['--subnet-file=/x//./l', '--socket=/x/l'],
      "socket: invalid value '/x/l', expected another path than that of subnet-file",
    ],
    [
      ['--net-config-path=/n', '--subnet-file=/n'],
      "subnet-file: invalid value '/n', expected another path than that of net-config-path",
    ],
    [
      ['--net-config-path=/n', '--lease-db=/n'],
      "lease-db: invalid value '/n', expected another path than that of net-config-path",
    ],
    [
      ['--socket=/l.db-wal'],
      "socket: invalid value '/l.db-wal', expected another path than that of the -wal file of lease-db",
    ],
    [
      ['--subnet-file=/l.db-changed'],
      "subnet-file: invalid value '/l.db-changed', expected another path than that of the -changed file of lease-db",
    ],
    [
      ['--state-dir=/s', '--subnet-file=/s/node.json'],
      "subnet-file: invalid value '/s/node.json', expected another path than that of the node.json of state-dir",
    ],
    [
      ['--state-dir=/l.db'],
      "state-dir: invalid value '/l.db', expected a path that is not below lease-db (for its node.json)",
    ],
    [
      ['--socket=/run/flannel/subnet.env/sock'],
      "socket: invalid value '/run/flannel/subnet.env/sock', expected a path that is not below subnet-file",
    ],
    [
      ['--subnet-file=/run/x/y', '--socket=/run/x'],
      "socket: invalid value '/run/x', expected a file, not the directory of another",
    ],
    [
      ['--state-dir=/s/d', '--subnet-file=/s'],
      "subnet-file: invalid value '/s', expected a file, not the directory of another",
    ],
  ])('parseSettings(%j)', (argv, line) => {
    expect(lineOf(argv, BOTH)).toBe(line);
  });

  test('parseSettings() lets files be neighbours', () => {
    const argv = [
      '--lease-db=/x/l.db',
      '--state-dir=/x',
      '--subnet-file=/x/subnet.env',
      '--socket=/x/l.db.sock',
    ];
    expect(lineOf(argv, BOTH)).toBe('fine');
    expect(lineOf(['--state-dir=/s', '--lease-db=/s/leases/l.db'], BOTH)).toBe('fine');
  });
});

test('unusedAddresses() tells of public addresses of a family that is off, which is no contradiction', () => {
  const flags = ['--public-ip=192.0.2.1', '--public-ipv6=2001:db8::1'];
  expect([IPV4, IPV6, BOTH].map((netConf) => unusedAddresses(told(flags, netConf)))).toEqual([
    ['public-ipv6: not used, as EnableIPv6 is not true in net-conf.json'],
    ['public-ip: not used, as EnableIPv4 is false in net-conf.json'],
    [],
  ]);
  expect([IPV4, IPV6].map((netConf) => lineOf(flags, netConf))).toEqual(['fine', 'fine']);
});
