import { expect, test } from 'bun:test';
import type { Lease } from '../../../src/model/lease.ts';
import { Rig } from '../../sim/rig.ts';
import { leaseOf, VXLAN } from '../../sim/samples.ts';

/** Applies one change of leases, and gives back what was asked of the kernel for it. */
async function after(rig: Rig, leases: readonly Lease[], gone: readonly string[] = []): Promise<string[]> {
  rig.asked();
  rig.change(leases, gone);
  await rig.run(50);
  expect(rig.ours()).toEqual(rig.wantedLines());
  return rig.asked();
}

test('a new peer costs its own objects and no look', async () => {
  const rig = await Rig.converged({ peers: 2, families: [4] });
  const looks = { ...rig.target.looks };
  const asked = await after(rig, [leaseOf(9, { families: [4] })]);
  expect(asked).toEqual([
    'create neighbour 10.42.9.0 lladdr 02:00:00:04:00:09 dev flannel.1 nud permanent',
    'create fdb 02:00:00:04:00:09 dev flannel.1 dst 192.168.0.9 self permanent',
    'create route 10.42.9.0/24 via 10.42.9.0 dev flannel.1 onlink proto 102',
  ]);
  expect(rig.target.looks).toEqual(looks);
});

test('a peer that goes costs its own objects and no look', async () => {
  const rig = await Rig.converged({ peers: 2, families: [4] });
  const looks = { ...rig.target.looks };
  const asked = await after(rig, [], ['node-3']);
  expect(asked.sort()).toEqual([
    'remove fdb 02:00:00:04:00:03 dev flannel.1 dst 192.168.0.3 self permanent',
    'remove neighbour 10.42.3.0 lladdr 02:00:00:04:00:03 dev flannel.1 nud permanent',
    'remove route 10.42.3.0/24 via 10.42.3.0 dev flannel.1 onlink proto 102',
  ]);
  expect(rig.target.looks).toEqual(looks);
});

test('a lease that says the same costs nothing', async () => {
  const rig = await Rig.converged({ peers: 3 });
  expect(await after(rig, [leaseOf(2), leaseOf(3)])).toEqual([]);
  rig.tell('all');
  await rig.run(50);
  expect(rig.asked()).toEqual([]);
});

test('a MAC that changes takes its forwarding entry along', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  const asked = await after(rig, [leaseOf(3, { mac: 33, families: [4] })]);
  expect(asked).toContain('remove fdb 02:00:00:04:00:03 dev flannel.1 dst 192.168.0.3 self permanent');
  expect(asked.filter((line) => line.startsWith('remove')).length).toBe(1);
});

test('a public address that changes is replaced in place', async () => {
  const rig = await Rig.converged({ peers: 3 });
  const asked = await after(rig, [leaseOf(3, { publicIp: 303 })]);
  expect(asked.filter((line) => line.startsWith('remove'))).toEqual([]);
});

test('a peer that moves to another subnet leaves the old one', async () => {
  const rig = await Rig.converged({ peers: 3 });
  const asked = await after(rig, [leaseOf(3, { subnet: 33 })]);
  expect(asked.filter((line) => line.startsWith('remove route')).length).toBe(2);
});

test('a peer that loses a family keeps the other, untouched', async () => {
  const rig = await Rig.converged({ peers: 3 });
  const asked = await after(rig, [leaseOf(3, { families: [4] })]);
  expect(asked.filter((line) => line.startsWith('remove')).length).toBe(3);
  expect(asked.filter((line) => line.includes('remove') && line.includes('10.42.'))).toEqual([]);
});

test('two peers swap their subnets in one change, and no route is ever missing', async () => {
  const rig = await Rig.converged({ peers: 4 });
  const asked = await after(rig, [leaseOf(3, { subnet: 4 }), leaseOf(4, { subnet: 3 })]);
  expect(asked.filter((line) => line.startsWith('remove'))).toEqual([]);
});

test('two peers swap their MACs in one change', async () => {
  const rig = await Rig.converged({ peers: 4 });
  const asked = await after(rig, [leaseOf(3, { mac: 4 }), leaseOf(4, { mac: 3 })]);
  expect(asked.filter((line) => line.startsWith('remove'))).toEqual([]);
});

test('three peers pass everything on in a ring', async () => {
  const rig = await Rig.converged({ peers: 4 });
  const ring = [
    leaseOf(3, { subnet: 4, mac: 5 }),
    leaseOf(4, { subnet: 5, mac: 3 }),
    leaseOf(5, { subnet: 3, mac: 4 }),
  ];
  const asked = await after(rig, ring);
  expect(asked.filter((line) => line.startsWith('remove'))).toEqual([]);
});

test('a MAC passes from a peer that goes to one that comes', async () => {
  const rig = await Rig.converged({ peers: 4 });
  await after(rig, [leaseOf(9, { mac: 3 })], ['node-3']);
});

test('a MAC and a subnet pass from one peer to another, told one after the other in either order', async () => {
  for (const order of [
    [3, 4],
    [4, 3],
  ]) {
    const rig = await Rig.converged({ peers: 4 });
    for (const n of order) {
      rig.change([n === 3 ? leaseOf(3, { mac: 33, subnet: 33 }) : leaseOf(4, { mac: 3, subnet: 3 })]);
      await rig.run(50);
    }
    expect(rig.ours()).toEqual(rig.wantedLines());
    expect(rig.reconciler.converged).toBe(true);
  }
});

test('a peer moves into the subnet that another has just left', async () => {
  const rig = await Rig.converged({ peers: 4 });
  await after(rig, [leaseOf(3, { subnet: 33 })]);
  await after(rig, [leaseOf(4, { subnet: 3 })]);
  await after(rig, [leaseOf(5, { subnet: 4 })], ['node-3']);
});

test('a node comes back under its name with everything else new', async () => {
  const rig = await Rig.converged({ peers: 4 });
  await after(rig, [], ['node-3']);
  await after(rig, [leaseOf(3, { subnet: 30, mac: 31, publicIp: 32 })]);
});

test('a subnet that two peers claim belongs to the first, and passes to the second when that goes', async () => {
  const rig = await Rig.converged({ peers: 3 });
  rig.change([leaseOf(9, { subnet: 3 })]);
  await rig.run(50);
  const route = '10.42.3.0 lladdr 02:00:00:04:00:03';
  expect(rig.ours().some((line) => line.includes(route))).toBe(true);
  expect(rig.reconciler.converged).toBe(false);
  const states = new Map([...rig.reconciler.peers()].map(({ lease, state }) => [lease.node, state]));
  expect([states.get('node-3'), states.get('node-9')]).toEqual(['programmed', 'pending']);
  await after(rig, [], ['node-3']);
  expect(rig.reconciler.converged).toBe(true);
});

test('a complete list does all of it at once', async () => {
  const rig = await Rig.converged({ peers: 10 });
  rig.leases.delete('node-2');
  for (const lease of [
    leaseOf(3, { subnet: 4 }),
    leaseOf(4, { subnet: 3, mac: 33 }),
    leaseOf(5, { families: [6] }),
    leaseOf(20),
    leaseOf(21, { subnet: 2, mac: 2 }),
  ])
    rig.set(lease);
  rig.tell('all');
  await rig.run(50);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('peers keep their places through many comings and goings', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  for (let round = 0; round < 300; round++) {
    const n = 10 + (round % 7);
    await after(rig, [leaseOf(n, { subnet: n + (round % 50), families: [4] })]);
    await after(rig, [], [`node-${n}`]);
  }
  expect([...rig.reconciler.peers()].length).toBe(3);
  expect(rig.clock.pendingCount).toBeLessThanOrEqual(2);
});

test('direct routing moves peers between tunnel and link in place', async () => {
  const onLink = { ...VXLAN, directRouting: true };
  const rig = await Rig.converged({ peers: 4, backend: onLink });
  rig.asked();
  const { underlay } = rig;
  const near = { ...underlay, onLink: (ip: string) => (/^192\.168\.0\.[34]$/.test(ip) ? 'eth0' : undefined) };
  rig.replan({ underlay: near });
  await rig.quiet();
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.ours()).toContain('route 10.42.3.0/24 via 192.168.0.3 dev eth0 proto 102');
  expect(rig.asked().filter((line) => line.startsWith('remove route'))).toEqual([]);
  rig.replan({ underlay });
  await rig.quiet();
  expect(rig.ours()).toEqual(rig.wantedLines());
});
