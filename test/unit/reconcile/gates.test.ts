import { expect, test } from 'bun:test';
import { exceedsBlastLimit } from '../../../src/reconcile/holds.ts';
import { Rig } from '../../sim/rig.ts';
import { HOST_GW, leaseOf } from '../../sim/samples.ts';

/** How many routes to peers there are. One family has one a peer. */
function routeCount(rig: Rig): number {
  return rig.ours().filter((line) => line.startsWith('route ')).length;
}

function heldNow(rig: Rig): number {
  return rig.passes.at(-1)?.held ?? 0;
}

async function sixPeers(): Promise<Rig> {
  return await Rig.converged({ peers: 6, families: [4] });
}

/** The node again, after a stop in which peers were lost. */
function restart(before: Rig, peers: number, synced = true): Rig {
  const rig = new Rig({ kernel: before.kernel, peers, synced, families: [4] });
  rig.replan();
  rig.tell('all');
  return rig;
}

function removals(rig: Rig): string[] {
  return rig.asked().filter((line) => line.startsWith('remove '));
}

test.each([
  [2, 2, false],
  [3, 3, true],
  [3, 5, true],
  [3, 6, false],
  [4, 6, true],
  [2500, 5000, false],
  [2501, 5000, true],
])('exceedsBlastLimit() of %i out of %i is %p', (count, total, expected) => {
  expect(exceedsBlastLimit(count, total)).toBe(expected);
});

test('Reconciler does nothing before it has both a plan and leases', async () => {
  const rig = new Rig({ peers: 2 });
  rig.reconciler.look('too early');
  await rig.run(1_000);
  rig.tell('all');
  await rig.run(1_000);
  expect(rig.passes).toEqual([]);
  rig.replan();
  await rig.run(1_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('Reconciler removes nothing before the first complete list, and not a second later than it', async () => {
  const rig = restart(await sixPeers(), 2, false);
  rig.set(leaseOf(9, { families: [4] }));
  rig.tell('all');
  await rig.run(AN_HOUR_MS, 10_000);
  expect(removals(rig)).toEqual([]);
  expect(routeCount(rig)).toBe(7);
  expect(rig.reconciler.converged).toBe(false);
  rig.synced = true;
  for (const n of [4, 5]) rig.set(leaseOf(n));
  rig.tell('all');
  await rig.run(1_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.reconciler.converged).toBe(true);
});

test('Reconciler keeps the links of a former plan until the first complete list', async () => {
  const before = await sixPeers();
  const rig = new Rig({ kernel: before.kernel, peers: 6, synced: false, families: [4] });
  rig.claims = before.claims;
  rig.leases.clear();
  rig.replan({ backend: HOST_GW });
  rig.tell('all');
  await rig.run(10_000);
  expect(removals(rig)).toEqual([]);
  rig.synced = true;
  for (let n = 2; n < 8; n++) rig.set(leaseOf(n, { backendType: 'host-gw' }));
  rig.tell('all');
  await rig.run(10_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('Reconciler holds a removal of more than half of the peers until a second list agrees', async () => {
  const rig = await sixPeers();
  rig.leases.clear();
  rig.tell('all');
  await rig.run(500);
  expect(heldNow(rig)).toBe(6);
  expect(routeCount(rig)).toBe(6);
  await rig.run(1_000);
  expect(heldNow(rig)).toBe(0);
  expect(routeCount(rig)).toBe(0);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('Reconciler holds for as long as there is no second list', async () => {
  const rig = await sixPeers();
  rig.storeAnswers = false;
  rig.leases.clear();
  rig.tell('all');
  await rig.run(AN_HOUR_MS, 10_000);
  expect(routeCount(rig)).toBe(6);
  expect(heldNow(rig)).toBe(6);
  expect(removals(rig)).toEqual([]);
});

test('Reconciler asks again with its audit for a list that did not come', async () => {
  const rig = await sixPeers();
  rig.storeAnswers = false;
  rig.leases.clear();
  rig.tell('all');
  await rig.run(10_000);
  rig.storeAnswers = true;
  await rig.run(100_000, 1_000);
  expect(routeCount(rig)).toBe(6);
  await rig.run(60_000, 1_000);
  expect(routeCount(rig)).toBe(0);
});

test('Reconciler removes what the second list confirms although other things happen meanwhile', async () => {
  const rig = await sixPeers();
  rig.leases.clear();
  rig.tell('all');
  for (let i = 0; i < 15; i++) {
    const [route] = rig.kernel.routes.all('flannel.1');
    if (route !== undefined) rig.alien.remove(route);
    rig.reconciler.look(`event ${i}`);
    await rig.run(100);
  }
  expect(routeCount(rig)).toBe(0);
});

test('Reconciler forgets a held removal when the second list has the peers again', async () => {
  const rig = await sixPeers();
  const peers = [...rig.leases.values()];
  rig.leases.clear();
  rig.tell('all');
  await rig.run(500);
  for (const lease of peers) rig.set(lease);
  await rig.run(5_000);
  expect({ held: heldNow(rig), routes: routeCount(rig) }).toEqual({ held: 0, routes: 6 });
  rig.storeAnswers = false;
  rig.leases.clear();
  rig.tell('all');
  await rig.run(AN_HOUR_MS, 10_000);
  expect(routeCount(rig)).toBe(6);
});

test('Reconciler forgets a held removal when the peers come back one by one', async () => {
  const rig = await sixPeers();
  const peers = [...rig.leases.values()];
  rig.storeAnswers = false;
  rig.leases.clear();
  rig.tell('all');
  await rig.run(500);
  for (const lease of peers) {
    rig.change([lease]);
    await rig.run(100);
  }
  expect(heldNow(rig)).toBe(0);
  rig.leases.clear();
  rig.tell('all');
  await rig.run(AN_HOUR_MS, 10_000);
  expect(routeCount(rig)).toBe(6);
});

test('Reconciler removes on the second list only what the first one missed too', async () => {
  const rig = await sixPeers();
  rig.storeAnswers = false;
  const keep = leaseOf(7);
  rig.leases.clear();
  rig.set(keep);
  rig.tell('all');
  await rig.run(500);
  rig.leases.clear();
  rig.tell('all');
  await rig.run(500);
  expect(routeCount(rig)).toBe(1);
  rig.tell('all');
  await rig.run(500);
  expect(routeCount(rig)).toBe(0);
});

test('Reconciler does not hold what is told peer by peer, nor the loss of two', async () => {
  const rig = await sixPeers();
  for (const name of [...rig.leases.keys()]) {
    rig.change([], [name]);
    await rig.run(50);
    expect(heldNow(rig)).toBe(0);
  }
  expect(routeCount(rig)).toBe(0);
  const small = await Rig.converged({ peers: 2, families: [4] });
  small.leases.clear();
  small.tell('all');
  await small.run(50);
  expect(routeCount(small)).toBe(0);
});

test('Reconciler removes what a restart finds of many dead peers as soon as a second list agrees', async () => {
  const rig = restart(await sixPeers(), 1);
  await rig.run(500);
  expect(routeCount(rig)).toBe(6);
  expect(heldNow(rig)).toBeGreaterThan(0);
  await rig.run(2_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(heldNow(rig)).toBe(0);
});

test('Reconciler removes what a restart finds of a few dead peers at once', async () => {
  const rig = restart(await sixPeers(), 4);
  rig.storeAnswers = false;
  await rig.run(100);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('Reconciler gives subnets to new nodes whose former holders are held', async () => {
  const rig = await sixPeers();
  rig.leases.clear();
  for (let n = 2; n < 8; n++)
    rig.set({ ...leaseOf(n, { publicIp: n + 50, families: [4] }), node: `new-${n}` });
  rig.tell('all');
  await rig.run(5_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.reconciler.converged).toBe(true);
});

const AN_HOUR_MS = 3_600_000;

test('leases that are restored and not confirmed yet are programmed, and shown so, after one whole look', async () => {
  const rig = await Rig.converged({ peers: 3, synced: false, families: [4] });
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect([...rig.reconciler.peers()].map(({ state }) => state)).toEqual(Array(3).fill('programmed'));
  expect([rig.reconciler.pendingPeers, rig.reconciler.converged]).toEqual([0, false]);
  rig.synced = true;
  rig.tell('all');
  await rig.quiet();
  expect(rig.reconciler.converged).toBe(true);
});
