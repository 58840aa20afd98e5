import { expect, test } from 'bun:test';
import { ROUTE_PROTOCOL, type RouteObject } from '../../../src/model/objects.ts';
import { Fights } from '../../../src/reconcile/fights.ts';
import { Rig } from '../../sim/rig.ts';
import { ip, macOf, prefix } from '../../sim/samples.ts';

const ROUTE: RouteObject = {
  kind: 'route',
  dst: prefix('10.42.3.0/24'),
  gateway: ip('10.42.3.0'),
  link: 'flannel.1',
  onlink: true,
  protocol: ROUTE_PROTOCOL,
  metric: undefined,
};
const OTHER = { ...ROUTE, dst: prefix('10.42.2.0/24'), gateway: ip('10.42.2.0') };
const ADDRESS = { kind: 'address', link: 'flannel.1', ip: ip('10.42.1.0'), length: 32 } as const;
const STRAY = { ...ROUTE, dst: prefix('10.42.99.0/24'), gateway: ip('10.42.99.0'), protocol: 12 };

/** Does the damage whenever it can be done, `times` times, `everyMs` apart; gives back how often it could. */
async function fight(rig: Rig, damage: () => boolean, { times = 100, everyMs = 100 } = {}): Promise<number> {
  let done = 0;
  for (let i = 0; i < times; i++) {
    if (damage()) done++;
    await rig.run(everyMs);
  }
  return done;
}

function has(rig: Rig, object: RouteObject | typeof ADDRESS): boolean {
  if (object.kind === 'route')
    return rig.kernel.routes
      .all()
      .some(({ dst, protocol }) => dst === object.dst && protocol === object.protocol);
  return [...(rig.kernel.links.get(object.link)?.addresses.values() ?? [])].some(
    (each) => each.ip === object.ip,
  );
}

function removing(rig: Rig, object: RouteObject | typeof ADDRESS): () => boolean {
  return () => {
    if (!has(rig, object)) return false;
    rig.alien.remove(object);
    return true;
  };
}

test('a route that something removes ten times a second is put right less and less often, and named', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  const removals = await fight(rig, removing(rig, ROUTE), { times: 1_000 });
  expect(removals).toBeGreaterThanOrEqual(60);
  expect(removals).toBeLessThan(90);
  expect(rig.reconciler.fights()).toMatchObject([
    { object: 'route 10.42.3.0/24 via 10.42.3.0 dev flannel.1 onlink', fate: 'removes' },
  ]);
});

test('it is in the way while it waits, and over a minute after the last damage', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  await fight(rig, removing(rig, ROUTE), { times: 400 });
  removing(rig, ROUTE)();
  await rig.run(10);
  expect(rig.reconciler.converged).toBe(false);
  expect(rig.reconciler.fights()[0]?.isWaiting).toBe(true);
  await rig.run(10_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.reconciler.converged).toBe(true);
  expect(rig.reconciler.fights()[0]?.isWaiting).toBe(false);
  await rig.run(60_000);
  expect(rig.reconciler.fights()).toEqual([]);
  removing(rig, ROUTE)();
  await rig.run(5);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('a fight over one object delays no other', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  await fight(rig, removing(rig, ROUTE), { times: 400 });
  removing(rig, ROUTE)();
  rig.alien.remove(OTHER);
  await rig.run(5);
  expect(has(rig, OTHER)).toBe(true);
  expect(has(rig, ROUTE)).toBe(false);
});

test("the node's own objects and strays are fought over, too", async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  const removals = await fight(rig, removing(rig, ADDRESS), { times: 600 });
  expect(removals).toBeLessThan(180);
  expect(rig.reconciler.fights().map(({ object }) => object)).toEqual(['address 10.42.1.0/32 dev flannel.1']);
  await rig.run(70_000);
  const strays = await fight(
    rig,
    () => {
      if (has(rig, STRAY)) return false;
      rig.alien.make(STRAY);
      return true;
    },
    { times: 600 },
  );
  expect(strays).toBeLessThan(180);
  expect(rig.reconciler.fights()).toMatchObject([
    { object: 'route 10.42.99.0/24 via 10.42.99.0 dev flannel.1 onlink' },
  ]);
  await rig.run(70_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.reconciler.converged).toBe(true);
});

test('damage now and then, and fifty times in a row, is put right at once', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  for (const [times, everyMs] of [
    [50, 100],
    [90, 12_000],
  ] as const) {
    for (let i = 0; i < times; i++) {
      rig.alien.remove(ROUTE);
      await rig.run(5);
      expect(has(rig, ROUTE)).toBe(true);
      await rig.run(everyMs);
    }
    expect(rig.reconciler.fights()).toEqual([]);
  }
});

test('what falls with a device counts against the device alone', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  for (let i = 0; i < 90; i++) {
    rig.alien.setLink('flannel.1', { up: false });
    await rig.run(100);
  }
  expect(rig.reconciler.fights().map(({ object }) => object)).toEqual(['link flannel.1 up']);
});

test('who takes a route over is known by its protocol', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4] });
  await fight(rig, () => {
    rig.alien.make({ ...ROUTE, gateway: ip('10.42.99.0'), protocol: 11 });
    return true;
  });
  expect(rig.reconciler.fights()).toMatchObject([{ fate: 'changes', by: "route protocol 'zebra'" }]);
});

test('thousands of objects that are damaged again and again take no more room than some', async () => {
  const rig = await Rig.converged({ peers: 250, families: [4] });
  for (let i = 0; i < 70; i++) {
    for (const node of Array.from({ length: 250 }, (_, at) => at + 2)) {
      const neighbour = {
        kind: 'neighbour',
        link: 'flannel.1',
        ip: ip(`10.42.${node}.0`),
        mac: macOf(node, 4),
      } as const;
      if (rig.kernel.links.get('flannel.1')?.neighbours.has(neighbour.ip)) rig.alien.remove(neighbour);
    }
    await rig.run(100);
  }
  expect(rig.reconciler.fights().length).toBeLessThanOrEqual(64);
  expect(rig.reconciler.fights().length).toBeGreaterThan(0);
});

test('a program that undoes more objects in turn than are counted is noticed all the same', () => {
  const fights = new Fights();
  for (let round = 0; round < 70; round++) {
    for (let i = 0; i < 200; i++) {
      const object = { ...ROUTE, dst: prefix(`10.42.${i}.0/24`) };
      fights.repaired([{ verb: 'create', object, why: 'was missing' }], round * 100 + i / 10);
    }
  }
  expect(fights.list(7_000).length).toBe(64);
  // Those that were left alone give way to others.
  fights.repaired([{ verb: 'create', object: OTHER, why: 'was missing' }], 100_000);
  expect(fights.list(100_000)).toEqual([]);
});
