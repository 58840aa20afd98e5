/** The passage through chains of others, as the engine keeps it. */
import { expect, test } from 'bun:test';
import { Rig } from '../../sim/rig.ts';
import { prefix } from '../../sim/samples.ts';

const NETWORKS = [prefix('10.42.0.0/16'), prefix('fd42::/48')];
const FAULT = 'ip filter FORWARD had no ip saddr 10.42.0.0/16 accept';

function spoil(rig: Rig): void {
  rig.kernel.passage = { ...rig.kernel.passage, faults: [FAULT] };
}

function repairsOf(rig: Rig): string[] {
  return rig.passes.flatMap(({ repairLines }) => repairLines);
}

test('is made where it is wanted, put right when an event is about it, and counted', async () => {
  const rig = await Rig.converged({ fixForward: true });
  expect(rig.kernel.passage.faults).toEqual([]);
  expect(repairsOf(rig)).toEqual([]);
  spoil(rig);
  rig.kernel.events.push({ object: { ...rig.kernel.passage, faults: ['?'] }, gone: false });
  await rig.run(0);
  expect(rig.kernel.passage).toMatchObject({ networks: NETWORKS, faults: [] });
  expect(repairsOf(rig)).toEqual([`passage of 10.42.0.0/16, fd42::/48 through chains of others (${FAULT})`]);
});

test('is left as it is where it is not wanted, but for rules of ours', async () => {
  const rig = await Rig.converged();
  spoil(rig);
  rig.kernel.events.push({ object: rig.kernel.passage, gone: false });
  await rig.quiet();
  expect(rig.kernel.passage.faults).toEqual([FAULT]);
  rig.replan({ fixForward: true });
  await rig.quiet();
  expect(rig.kernel.passage.rules.length).toBe(1);
  rig.replan({ fixForward: false });
  await rig.quiet();
  expect(rig.kernel.passage.rules).toEqual([]);
});
