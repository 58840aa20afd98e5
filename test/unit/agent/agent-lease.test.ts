import { expect, test } from 'bun:test';
import { AgentRig } from '../../sim/agent-rig.ts';
import { prefix } from '../../sim/samples.ts';

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

test('Agent leases again when its lease is lost, and asks for the subnet that its pods have', async () => {
  const rig = await AgentRig.withPeers(2);
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
  const rig = await AgentRig.withPeers(2);
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

test('Agent asks for a second list when it holds a removal', async () => {
  const rig = await AgentRig.withPeers(2, 3, 4, 5);
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
