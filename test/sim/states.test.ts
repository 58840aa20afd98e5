import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../fuzz/random.ts';
import { changesOf, Rig } from './rig.ts';
import { enter, readExpectations, STATES, type State, shown } from './states.ts';

const EXPECTED = readExpectations(readFileSync(join(import.meta.dir, 'states.txt'), 'utf8'));

/** As many transitions as there are pairs of states. */
const WALK = STATES.length ** 2;

async function arrive(rig: Rig, state: State): Promise<void> {
  enter(rig, state);
  await rig.quiet();
  expect(shown(rig)).toEqual([...(EXPECTED.get(state.name) ?? ['no such state'])]);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.reconciler.converged).toBe(true);
}

async function expectSilence(rig: Rig): Promise<void> {
  const { length } = rig.passes;
  rig.reconciler.look('silent?');
  await rig.quiet();
  expect(rig.passes.slice(length).map(changesOf)).toEqual([0]);
}

test('every state is described', () => {
  expect([...EXPECTED.keys()]).toEqual(STATES.map(({ name }) => name));
});

test.each(STATES)('from nothing to: $name', async (state) => {
  const rig = new Rig();
  await arrive(rig, state);
  await expectSilence(rig);
});

test.each(STATES)('from every other state to: $name', async (state) => {
  for (const other of STATES) {
    const rig = new Rig();
    await arrive(rig, other);
    await arrive(rig, state);
    await expectSilence(rig);
  }
});

test('from state to state in no particular order, each time after a restart or not', async () => {
  const random = seededRandom(42);
  let rig = new Rig();
  for (let i = 0; i < WALK; i++) {
    const state = STATES[random(STATES.length)];
    if (state === undefined) continue;
    if (random(3) === 0) {
      // The next agent knows which links there were, as the state file would tell it.
      const { kernel, claims } = rig;
      rig.reconciler.stop();
      rig = new Rig({ kernel, seed: i + 1 });
      rig.claims = claims;
    }
    await arrive(rig, state);
  }
});

test('a restart into the same state changes nothing', async () => {
  for (const state of STATES) {
    const before = new Rig();
    await arrive(before, state);
    before.reconciler.stop();
    const rig = new Rig({ kernel: before.kernel });
    await arrive(rig, state);
    expect(rig.passes.map(changesOf)).toEqual(rig.passes.map(() => 0));
  }
});
