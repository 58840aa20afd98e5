import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { parseStatus, type StatusDocument } from '../../src/cli/status-document.ts';
import { vxlanOverlay } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import { leaseOf, partOf } from './agent-store.ts';
import { eventually, expectTrouble, JSON_LOG, TIMEOUT_MS } from './agent-support.ts';
import { createLab, EXECUTABLE, type Lab } from './lab.ts';

let lab: Lab;
let count = 0;

/** A node with a second interface, which is not the way to others, and no default route. */
beforeAll(async () => {
  lab = await createLab({ nodes: 1, backend: { Type: 'host-gw' } });
  const node = lab.node(1);
  for (const command of [
    'link add eth1 type veth peer name eth1-peer',
    'address add 172.20.0.1/24 dev eth1',
    'link set eth1 up',
    'link set eth1-peer up',
  ]) {
    node.run('ip', ...command.split(' '));
  }
});

afterAll(() => lab[Symbol.asyncDispose]());

/** What an agent with these flags, and none for the interface besides, says of itself. */
async function statusWith(flags: readonly string[]): Promise<StatusDocument> {
  const directory = join(lab.directory, `alone-${count++}`);
  mkdirSync(directory);
  const at = (name: string) => join(directory, name);
  const files = [
    '--lease-db',
    at('leases.db'),
    '--subnet-file',
    at('subnet.env'),
    '--state-dir',
    at('state'),
  ];
  const netConf = ['--net-config-path', join(lab.directory, 'net-conf.json')];
  const command = [
    EXECUTABLE,
    'run',
    ...netConf,
    ...files,
    '--socket',
    at('agent.sock'),
    '--install-cni=false',
    ...flags,
  ];
  const { PATH = '' } = process.env;
  const agent = inNetns(lab.node(1).space.netns, () =>
    Bun.spawn(['setpriv', '--pdeathsig', 'KILL', '--', ...command], {
      stdio: ['ignore', 'ignore', 'ignore'],
      env: { PATH, NODE_NAME: 'alone' },
    }),
  );
  try {
    return await eventually(async () => {
      const response = await fetch('http://agent/status', { unix: at('agent.sock') });
      const status = parseStatus(await response.text());
      if (!status.ok || !status.value.ready) throw new Error('Not ready');
      return status.value;
    });
  } finally {
    agent.kill();
    await agent.exited;
  }
}

test.each([
  { what: 'nothing', flags: [], name: 'eth0', why: /^has the best addresses \(others: eth1, eth1-peer\)/ },
  { what: 'a name', flags: ['-iface=eth0'], name: 'eth0', why: /^named by --iface=eth0$/ },
  {
    what: 'the second of two names',
    flags: ['--iface', 'eth7', '--iface', 'eth0'],
    name: 'eth0',
    why: /--iface=eth0/,
  },
  { what: 'an address', flags: ['--iface=192.168.77.1'], name: 'eth0', why: /carries the address/ },
  { what: 'a pattern', flags: ['--iface-regex=^eth0$'], name: 'eth0', why: /--iface-regex/ },
  {
    what: 'an address to reach',
    flags: ['--iface-can-reach=192.168.77.9'],
    name: 'eth0',
    why: /192\.168\.77\.9/,
  },
  { what: 'a public address', flags: ['--public-ip=192.168.77.1'], name: 'eth0', why: /--public-ip/ },
])(
  'an agent that is told $what takes the interface, and says why',
  async ({ flags, name, why }) => {
    const status = await statusWith(flags);
    expect(status.interface).toMatchObject({ name, ipv4: '192.168.77.1', ipv6: 'fd77::1' });
    expect(status.interface?.why).toMatch(why);
  },
  TIMEOUT_MS,
);

test(
  'the default route shows the interface, even where another has as many addresses',
  async () => {
    const node = lab.node(1);
    node.run('ip', 'address', 'add', 'fd20::1/64', 'dev', 'eth1', 'nodad');
    node.run('ip', 'route', 'add', 'default', 'via', '172.20.0.254', 'dev', 'eth1');
    const { interface: chosen } = await statusWith([]);
    expect(chosen).toMatchObject({ name: 'eth1', ipv4: '172.20.0.1', ipv6: 'fd20::1' });
    expect(chosen?.why).toBe('has the IPv4 default route');
  },
  TIMEOUT_MS,
);

test(
  'a public address that the node does not have is told to peers, while the device keeps to its own',
  async () => {
    await using nat = await createLab({ nodes: 2, families: [4] });
    const [node, peer] = [nat.node(1), nat.node(2)];
    node.start({ arguments: ['--public-ip', '203.0.113.7'] });
    peer.start();
    for (const each of nat.nodes) await each.agent.ready();
    await nat.settled();
    expect(partOf(leaseOf(nat, node), 4).publicIp).toBe('203.0.113.7');
    expect(readOverlay(peer)).toEqual(vxlanOverlay(nat, peer));
    expect(readOverlay(node).links[0]?.vxlan).toMatchObject({ local: '192.168.77.1' });
  },
  TIMEOUT_MS,
);

test(
  'host-gw with a public address that the node does not have waits, since peers could not use it',
  async () => {
    await using nat = await createLab({ nodes: 1, families: [4], backend: { Type: 'host-gw' } });
    const node = nat.node(1);
    node.start({ arguments: [...JSON_LOG.arguments, '--public-ip', '203.0.113.7'] });
    await expectTrouble(node, 'public-ip-not-local', '203.0.113.7');
  },
  TIMEOUT_MS,
);
