import { expect, test } from 'bun:test';
import { problem } from '../../../src/model/problem.ts';
import { AgentRig } from '../../sim/agent-rig.ts';
import { HOST_GW, ip, leaseOf, prefix, VXLAN, vxlanLink } from '../../sim/samples.ts';

const SUBNET_ENV =
  'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_IPV6_NETWORK=fd42::/48\n' +
  'FLANNEL_IPV6_SUBNET=fd42:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n';

function link4(rig: AgentRig): string | undefined {
  return rig.show().find((line) => line.startsWith('link flannel.1 address'));
}

test('Agent waits for an interface and for an address', async () => {
  const rig = new AgentRig();
  rig.unplug();
  rig.agent.start();
  await rig.run(1_000);
  expect(rig.codes()).toEqual(['interface-missing']);
  expect(rig.source.requests).toEqual([]);
  rig.plugIn([]);
  await rig.run(1_000);
  expect(rig.codes()).toEqual(['interface-missing']);
  rig.setAddress('add', '192.168.0.1');
  await rig.run(1_000);
  expect(rig.codes()).toContain('interface-no-address');
  expect(rig.subnetEnv).toBeUndefined();
  rig.setAddress('add', 'fd99::1');
  await rig.run(1_000);
  expect(rig.codes()).toEqual([]);
  expect(rig.subnetEnv).toBe(SUBNET_ENV);
});

test('Agent cannot read the host for a while', async () => {
  const rig = new AgentRig();
  rig.hostProblem = problem('netlink-failed', 'Cannot read this node');
  rig.agent.start();
  await rig.run(1_000);
  expect(rig.codes()).toEqual(['netlink-failed']);
  rig.hostProblem = undefined;
  rig.agent.look('events were lost');
  await rig.run(1_000);
  expect(rig.codes()).toEqual([]);
});

test('Agent follows another address of its interface, and keeps the entries of its peers', async () => {
  const rig = await AgentRig.withPeers(2, 3);
  const before = rig.show().filter((line) => /^(fdb|neighbour|route)/.test(line));
  rig.target.changes.length = 0;
  rig.setAddress('add', '192.168.0.77');
  rig.setAddress('remove', '192.168.0.1');
  await rig.run(1_000);
  expect(rig.source.requests.at(-1)?.ipv4?.publicIp).toBe(ip('192.168.0.77'));
  expect(link4(rig)).toContain(' local 192.168.0.77 ');
  expect(rig.target.changes.filter(({ verb }) => verb === 'recreate' || verb === 'remove')).toEqual([]);
  expect(rig.show().filter((line) => /^(fdb|neighbour|route)/.test(line))).toEqual(before);
  expect(rig.codes()).toEqual([]);
});

test('Agent keeps its address until another takes its place', async () => {
  const rig = await AgentRig.withPeers(2);
  rig.setAddress('remove', '192.168.0.1');
  await rig.run(1_000);
  expect(rig.codes()).toEqual(['interface-no-address']);
  expect(link4(rig)).toContain(' local 192.168.0.1 ');
  expect(rig.source.requests.length).toBe(1);
  rig.setAddress('add', '192.168.0.1');
  await rig.run(1_000);
  expect(rig.codes()).toEqual([]);
});

test('Agent follows the MTU, on the device and in subnet.env, also while the store is out', async () => {
  const rig = await AgentRig.withPeers(2);
  rig.source.refuse('Lease database is locked');
  rig.alien.setLink('eth0', { mtuBytes: 1400 });
  await rig.run(1_000);
  expect(link4(rig)).toContain(' mtu 1350 ');
  expect(rig.subnetEnv).toContain('FLANNEL_MTU=1330\n');
  expect(rig.codes()).toEqual(['store-unavailable']);
  rig.source.refuse(undefined);
  await rig.run(120_000, 1_000);
  expect(rig.codes()).toEqual([]);
});

test('Agent makes everything again when its interface comes back as another', async () => {
  const rig = await AgentRig.withPeers(2, 3);
  const before = rig.show();
  rig.unplug();
  await rig.run(5_000);
  expect(rig.codes()).toContain('interface-missing');
  expect(rig.show()).toEqual([]);
  rig.plugIn();
  await rig.run(5_000);
  expect(rig.show()).toEqual(before);
  expect(rig.codes()).toEqual([]);
});

test('Agent asks the store once for one change of the interface, and plans once', async () => {
  const rig = await AgentRig.withPeers(2, 3);
  const { looks } = rig.target;
  const before = { requests: rig.source.requests.length, looks: looks.links };
  rig.setAddress('add', '10.9.9.9');
  await rig.run(1_000);
  expect(rig.source.requests.length).toBe(before.requests);
  rig.alien.setLink('eth0', { mtuBytes: 1400 });
  await rig.run(1_000);
  expect(rig.source.requests.length).toBe(before.requests + 1);
  expect(looks.links - before.looks).toBeLessThanOrEqual(4);
});

test('Agent reads the host a few times for a flood of foreign changes', async () => {
  const rig = await AgentRig.started({ backend: { ...VXLAN, directRouting: true } });
  const { hostReads } = rig;
  const route = {
    kind: 'route',
    gateway: undefined,
    link: 'eth0',
    onlink: false,
    protocol: 3,
    metric: undefined,
  } as const;
  for (let i = 0; i < 5_000; i++) {
    rig.alien.make({ ...route, dst: prefix(`10.${100 + (i >> 8)}.${i & 255}.0/24`) });
    rig.hear();
    if (i % 100 === 0) await rig.clock.advance(1);
  }
  await rig.run(1_000);
  expect(rig.hostReads - hostReads).toBeGreaterThan(0);
  expect(rig.hostReads - hostReads).toBeLessThan(60);
});

test('Agent reads the host at once when something changes after quiet', async () => {
  const rig = await AgentRig.started();
  await rig.run(10_000, 1_000);
  const { hostReads } = rig;
  rig.alien.setLink('eth0', { mtuBytes: 1400 });
  rig.hear();
  expect(rig.hostReads).toBe(hostReads + 1);
});

test('Agent does not read the host for links and addresses of pods', async () => {
  const rig = await AgentRig.started();
  const { hostReads } = rig;
  const veth = { ...vxlanLink(), name: 'veth1', device: { type: 'other', name: 'veth' } } as const;
  rig.alien.make(veth);
  rig.alien.setLink('veth1', { up: true });
  rig.alien.make({ kind: 'address', link: 'veth1', ip: ip('10.42.1.5'), length: 32 });
  rig.alien.remove(veth);
  await rig.run(1_000);
  expect(rig.hostReads).toBe(hostReads);
});

test('Agent follows routes for direct routing', async () => {
  const rig = new AgentRig({ backend: { ...VXLAN, directRouting: true } });
  rig.source.peers.set('node-2', leaseOf(2));
  rig.source.peers.set('node-9', leaseOf(9, { publicIp: 0x909 }));
  rig.agent.start();
  await rig.run(1_000);
  const toNine = () => rig.show().filter((line) => line.startsWith('route 10.42.9.0'));
  expect(rig.show()).toContain('route 10.42.2.0/24 via 192.168.0.2 dev eth0 proto 102');
  expect(toNine()).toEqual(['route 10.42.9.0/24 via 10.42.9.0 dev flannel.1 onlink proto 102']);
  const wider = { kind: 'route', dst: prefix('192.168.0.0/16'), gateway: undefined, link: 'eth0' } as const;
  rig.alien.make({ ...wider, onlink: false, protocol: 3, metric: undefined });
  await rig.run(1_000);
  expect(toNine()).toEqual(['route 10.42.9.0/24 via 192.168.9.9 dev eth0 proto 102']);
});

test('Agent says that host-gw cannot publish an address that the node does not have', async () => {
  const choice = { names: ['eth0'], publicIpv4: ip('203.0.113.1') };
  const rig = await AgentRig.started({ backend: HOST_GW, choice });
  expect(rig.codes()).toEqual(['public-ip-not-local']);
});
