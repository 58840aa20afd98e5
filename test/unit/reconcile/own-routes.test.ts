import { expect, test } from 'bun:test';
import { isOwnBlackhole, type RouteObject, describe as textOf } from '../../../src/model/objects.ts';
import { Rig } from '../../sim/rig.ts';

function blackholes(rig: Rig): readonly RouteObject[] {
  return rig.kernel.routes.all().filter(isOwnBlackhole);
}

test("the node's own routes are made, found right by the next look, and put right when they go", async () => {
  const rig = await Rig.converged({ peers: 3, blackhole: true });
  const made = blackholes(rig);
  expect(made.map(textOf)).toEqual([
    'route 10.42.1.0/24 metric 2147483647 blackhole',
    'route fd42:0:0:1::/64 metric 2147483647 blackhole',
  ]);
  rig.asked();
  rig.reconciler.look('audit');
  await rig.quiet();
  expect(rig.asked()).toEqual([]);
  for (const route of made) rig.alien.remove(route);
  await rig.quiet();
  expect(blackholes(rig)).toEqual(made);
  expect(rig.passes.flatMap(({ repairs }) => [...repairs.byKind()])).toEqual([['route', 2]]);
});

test('once they are not wanted they go, and nothing else with them', async () => {
  const rig = await Rig.converged({ peers: 3, blackhole: true });
  const before = rig.kernel.routes.all().length;
  rig.replan({ blackhole: false });
  await rig.quiet();
  expect(blackholes(rig)).toEqual([]);
  expect(rig.kernel.routes.all().length).toBe(before - 2);
});
