import { expect, test } from 'bun:test';
import { problem } from '../../../src/model/problem.ts';
import { AgentRig } from '../../sim/agent-rig.ts';
import { HOST_GW, ip, leaseOf, prefix, VXLAN, vxlanLink } from '../../sim/samples.ts';

const SUBNET_ENV =
  'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_IPV6_NETWORK=fd42::/48\n' +
  'FLANNEL_IPV6_SUBNET=fd42:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n';

async function withPeers(...numbers: readonly number[]): Promise<AgentRig> {
  const rig = new AgentRig();
  for (const n of numbers) rig.source.peers.set(`node-${n}`, leaseOf(n));
  rig.agent.start();
  await rig.run(1_000);
  return rig;
}

function link4(rig: AgentRig): string | undefined {
  return rig.show().find((line) => line.startsWith('link flannel.1 address'));
}

test('Agent leases, programs its peers, writes subnet.env and is ready, once', async () => {
  const rig = await withPeers(2, 3);
  expect(rig.source.requests).toEqual([
    {
      node: 'node-1',
      backendType: 'vxlan',
      ipv4: {
        publicIp: ip('192.168.0.1'),
        vtep: { vni: 1, mac: leaseOf(1).ipv4?.vtep?.mac },
        previous: undefined,
      },
      ipv6: {
        publicIp: ip('fd99::1'),
        vtep: { vni: 1, mac: leaseOf(1).ipv6?.vtep?.mac },
        previous: undefined,
      },
    } as never,
  ]);
  expect(rig.show().filter((line) => line.startsWith('route')).length).toBe(4);
  expect(rig.subnetEnv).toBe(SUBNET_ENV);
  expect(rig.agent.readiness()).toEqual({ ready: true, problems: [] });
  expect(rig.ready).toEqual(['Pod network is up, 2 peers']);
  await rig.run(700_000, 10_000);
  expect(rig.ready.length).toBe(1);
});

test('Agent is not ready before every known peer is in the kernel', async () => {
  const rig = new AgentRig();
  for (const n of [2, 3]) rig.source.peers.set(`node-${n}`, leaseOf(n));
  rig.target.fault = ({ object }) => (object.kind === 'route' && object.dst.startsWith('10.42.3.') ? 22 : 0);
  rig.agent.start();
  expect(rig.codes()).toEqual(['starting']);
  await rig.run(1_000);
  expect(rig.codes()).toEqual(['object-failed', 'peer-pending']);
  expect(rig.ready).toEqual([]);
  rig.target.fault = () => 0;
  await rig.run(10_000);
  expect(rig.codes()).toEqual([]);
  expect(rig.ready.length).toBe(1);
});

test('Agent says each thing once, in lines that do not repeat with every pass', async () => {
  const rig = await withPeers(2);
  await rig.run(700_000, 10_000);
  expect(rig.log.map((line) => line.replace(/ms=[\d.]+/, 'ms=0'))).toEqual([
    'info Interface chosen interface=eth0 why=is the only one with a usable address; there is no default route mtu=1500 publicIp=192.168.0.1 publicIpv6=fd99::1 cause=start',
    'info Leases read peers=1 refused=0',
    'info Lease held subnet=10.42.1.0/24 subnetV6=fd42:0:0:1::/64',
    expect.stringContaining('info Kernel brought in line cause='),
    expect.stringContaining('info Ready afterMs='),
  ]);
});

test('Agent waits for the store, and tries again with growing pauses', async () => {
  const rig = new AgentRig();
  rig.source.refuse('Lease database is locked');
  rig.agent.start();
  await rig.run(60_000, 1_000);
  expect(rig.codes()).toEqual(['store-unavailable']);
  const tries = rig.source.requests.length;
  expect(tries).toBeGreaterThan(5);
  expect(tries).toBeLessThan(15);
  expect(rig.log.filter((line) => line.includes('locked')).length).toBe(1);
  rig.source.refuse(undefined);
  rig.source.tell('all');
  await rig.run(61_000, 1_000);
  expect(rig.codes()).toEqual([]);
  expect(rig.log).toContainEqual(expect.stringContaining('info Problem is over'));
});

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
  const rig = await withPeers(2, 3);
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
  const rig = await withPeers(2);
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
  const rig = await withPeers(2);
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
  const rig = await withPeers(2, 3);
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
  const rig = await withPeers(2, 3);
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

test('Agent leases again when its lease is lost, and asks for the subnet that its pods have', async () => {
  const rig = await withPeers(2);
  const { requests } = rig.source;
  expect(requests.length).toBe(1);
  rig.source.loseOwn('the row is gone');
  await rig.run(1_000);
  expect(requests.length).toBe(2);
  expect(requests[1]?.ipv4?.previous).toBe(prefix('10.42.1.0/24'));
  expect(requests[1]?.ipv6?.previous).toBe(prefix('fd42:0:0:1::/64'));
  expect(rig.log).toContain('warn Own lease lost, leasing again reason=the row is gone');
});

test('Agent leases again when its lease is lost while it is being asked for', async () => {
  const rig = new AgentRig();
  let grant: () => void = () => undefined;
  rig.source.answer = (request) =>
    new Promise((resolve) => {
      grant = () => resolve(rig.source.grant(request));
    });
  rig.agent.start();
  await rig.run(100);
  rig.source.loseOwn('taken by another');
  rig.source.answer = undefined;
  grant();
  await rig.run(1_000);
  expect(rig.source.requests.length).toBe(2);
});

test('Agent moves to another subnet if it must', async () => {
  const rig = await withPeers(2);
  rig.source.ownSubnet = 200;
  rig.source.loseOwn('taken by another');
  await rig.run(1_000);
  const addresses = rig.show().filter((line) => line.startsWith('address') && line.includes('flannel'));
  expect(addresses).toEqual([
    'address 10.42.200.0/32 dev flannel.1',
    'address fd42:0:0:c8::/128 dev flannel-v6.1',
  ]);
  expect(rig.subnetEnv).toContain('FLANNEL_SUBNET=10.42.200.1/24\n');
  expect(rig.codes()).toEqual([]);
});

test('Agent asks for what subnet.env said before', async () => {
  const previous = { ipv4: prefix('10.42.9.0/24'), ipv6: undefined };
  const rig = await AgentRig.started({ previous });
  expect(rig.source.requests[0]?.ipv4?.previous).toBe(previous.ipv4);
  expect(rig.source.requests[0]?.ipv6?.previous).toBeUndefined();
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

test('Agent asks for a second list when it holds a removal', async () => {
  const rig = await withPeers(2, 3, 4, 5);
  rig.source.peers.clear();
  rig.source.tell('all');
  await rig.run(500);
  expect(rig.codes()).toEqual(['removal-held']);
  expect(rig.agent.readiness().ready).toBe(true);
  expect(rig.source.refreshes).toBe(0);
  await rig.run(2_000);
  expect(rig.source.refreshes).toBe(1);
  expect(rig.codes()).toEqual([]);
  expect(rig.show().filter((line) => line.startsWith('route'))).toEqual([]);
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

test('Agent claims what it will make before it makes it, and says what cannot be written down', async () => {
  const rig = new AgentRig({ formerLinks: ['flannel.7'] });
  rig.stateProblem = problem('state-unwritable', 'Cannot write /var/lib/flannelette/state.json');
  rig.agent.start();
  await rig.run(1_000);
  expect(rig.claims[0]).toEqual({ links: ['flannel.1', 'flannel-v6.1', 'flannel.7'], changes: 0 });
  expect(rig.codes()).toEqual(['state-unwritable']);
  rig.stateProblem = undefined;
  await rig.run(120_000, 1_000);
  expect(rig.codes()).toEqual([]);
});

test('Agent removes the devices of a former configuration', async () => {
  const before = await withPeers(2, 3);
  const rig = new AgentRig({
    kernel: before.kernel,
    backend: HOST_GW,
    formerLinks: ['flannel.1', 'flannel-v6.1'],
  });
  for (const n of [2, 3]) rig.source.peers.set(`node-${n}`, leaseOf(n, { backendType: 'host-gw' }));
  rig.agent.start();
  await rig.run(3_000);
  expect(rig.show().filter((line) => line.includes('flannel'))).toEqual([]);
  expect(rig.show().filter((line) => line.startsWith('route')).length).toBe(4);
});

test('Agent says that host-gw cannot publish an address that the node does not have', async () => {
  const choice = { names: ['eth0'], publicIpv4: ip('203.0.113.1') };
  const rig = await AgentRig.started({ backend: HOST_GW, choice });
  expect(rig.codes()).toEqual(['public-ip-not-local']);
});

test('Agent tells everything about itself', async () => {
  const rig = await withPeers(2);
  rig.source.refused = [{ node: 'node-9', reason: 'IPv4: public address is our own' }];
  rig.source.tell('all');
  rig.alien.remove(vxlanLink());
  await rig.run(1_000);
  const status = rig.agent.status();
  expect(status).toMatchObject({
    version: '1.2.3',
    node: 'node-1',
    ready: true,
    problems: [],
    backend: 'vxlan',
    network: '10.42.0.0/16',
    networkV6: 'fd42::/48',
    interface: { name: 'eth0', mtuBytes: 1500, ipv4: '192.168.0.1', publicIpv6: 'fd99::1' },
    lease: { subnet: '10.42.1.0/24', subnetV6: 'fd42:0:0:1::/64', expiresAt: undefined },
    vtepMacs: { 'flannel.1': '02:00:00:04:00:01', 'flannel-v6.1': '02:00:00:06:00:01' },
    store: { name: 'fake', problem: undefined },
    refused: [{ node: 'node-9', reason: 'IPv4: public address is our own' }],
    repairs: { link: 1, up: 1, address: 1, route: 1, neighbour: 1, fdb: 1 },
  });
  expect(status.peers).toEqual([
    {
      node: 'node-2',
      backendType: 'vxlan',
      state: 'programmed',
      ipv4: { subnet: '10.42.2.0/24', publicIp: '192.168.0.2' },
      ipv6: { subnet: 'fd42:0:0:2::/64', publicIp: 'fd99::2' },
      reason: undefined,
    },
  ]);
  expect(Date.parse(status.lastPass?.at ?? '')).toBeGreaterThan(0);
});

test('Agent stops, and leaves the kernel and the file as they are', async () => {
  const rig = await withPeers(2, 3);
  const before = [...rig.show(), rig.subnetEnv];
  rig.agent.stop();
  rig.alien.setLink('eth0', { mtuBytes: 1400 });
  rig.alien.setLink('eth0', { mtuBytes: 1500 });
  await rig.run(700_000, 10_000);
  expect([...rig.show(), rig.subnetEnv]).toEqual(before);
  expect(rig.source.closed).toBe(true);
  expect(rig.clock.pendingCount).toBe(0);
});
