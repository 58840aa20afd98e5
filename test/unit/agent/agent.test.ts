import { expect, test } from 'bun:test';
import { problem } from '../../../src/model/problem.ts';
import { AgentRig } from '../../sim/agent-rig.ts';
import { settled } from '../../sim/fake-clock.ts';
import { HOST_GW, ip, leaseOf, vxlanLink } from '../../sim/samples.ts';

const SUBNET_ENV =
  'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_IPV6_NETWORK=fd42::/48\n' +
  'FLANNEL_IPV6_SUBNET=fd42:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n';

test('Agent leases, programs its peers, writes subnet.env and is ready, once', async () => {
  const rig = await AgentRig.withPeers(2, 3);
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
  const isReady = (text: string) => text.startsWith('READY=1\n');
  expect(rig.told.filter(isReady)).toEqual([
    'READY=1\nSTATUS=Ready: 2 peers, vxlan, 10.42.1.0/24, fd42:0:0:1::/64',
  ]);
  const before = rig.told.length;
  await rig.run(700_000, 10_000);
  expect(rig.told.length).toBe(before);
});

test('Agent is not ready before every known peer is in the kernel', async () => {
  const rig = new AgentRig();
  for (const n of [2, 3]) rig.source.peers.set(`node-${n}`, leaseOf(n));
  rig.target.fault = ({ object }) => (object.kind === 'route' && object.dst.startsWith('10.42.3.') ? 22 : 0);
  rig.agent.start();
  expect(rig.codes()).toEqual(['starting']);
  await rig.run(1_000);
  expect(rig.codes()).toEqual(['object-failed', 'peer-pending']);
  expect(rig.told.join('\n')).not.toContain('READY=1');
  expect(rig.told.at(-1)).toStartWith('STATUS=Not ready: Cannot create route 10.42.3.0/24');
  rig.target.fault = () => 0;
  await rig.run(10_000);
  expect(rig.codes()).toEqual([]);
  expect(rig.told.at(-1)).toStartWith('READY=1\nSTATUS=Ready: 2 peers');
});

test('Agent is ready as soon as the store has no trouble any more, though the kernel needs nothing', async () => {
  const rig = await AgentRig.started();
  expect(rig.source.networkUps).toBe(1);
  const other = new AgentRig();
  other.agent.start();
  await settled();
  other.source.complain('The annotations cannot be written');
  await other.run(1_000);
  expect([other.codes(), other.source.networkUps]).toEqual([['store-denied'], 0]);
  other.source.complain(undefined);
  expect([other.codes(), other.source.networkUps]).toEqual([[], 1]);
  expect(other.log.filter((line) => line.startsWith('info Ready')).length).toBe(1);
});

test('Agent says each thing once, in lines that do not repeat with every pass', async () => {
  const rig = await AgentRig.withPeers(2);
  await rig.run(700_000, 10_000);
  expect(rig.log.map((line) => line.replace(/ms=[\d.]+/, 'ms=0'))).toEqual([
    'info Interface chosen interface=eth0 why=is the only one with a usable address; there is no default route mtu=1500 publicIp=192.168.0.1 publicIpv6=fd99::1 cause=start',
    'info Leases read peers=1 refused=0',
    'info Lease held subnet=10.42.1.0/24 subnetV6=fd42:0:0:1::/64',
    expect.stringContaining('info Kernel brought in line cause='),
    expect.stringContaining('info Ready afterMs='),
  ]);
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
  const before = await AgentRig.withPeers(2, 3);
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

test('Agent tells everything about itself', async () => {
  const rig = await AgentRig.withPeers(2);
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
  const rig = await AgentRig.withPeers(2, 3);
  const before = [...rig.show(), rig.subnetEnv];
  rig.agent.stop();
  rig.alien.setLink('eth0', { mtuBytes: 1400 });
  rig.alien.setLink('eth0', { mtuBytes: 1500 });
  await rig.run(700_000, 10_000);
  expect([...rig.show(), rig.subnetEnv]).toEqual(before);
  expect(rig.source.closed).toBe(true);
  expect(rig.clock.pendingCount).toBe(0);
});
