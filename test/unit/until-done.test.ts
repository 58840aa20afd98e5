import { expect, test } from 'bun:test';
import { problem } from '../../src/model/problem.ts';
import { fail, ok } from '../../src/model/result.ts';
import { untilDone } from '../../src/until-done.ts';
import { FakeClock, settled } from '../sim/fake-clock.ts';

const TAKEN = problem('state-locked', 'Another agent (process 812) has it');

test('untilDone() tells the reason, tries with pauses that grow to the longest, and that it is over', async () => {
  const clock = new FakeClock();
  const told: (string | undefined)[] = [];
  const attempts: number[] = [];
  let taken = true;
  let waits = 0;
  let value: string | undefined;
  const options = {
    journal: { problem: (_: unknown, trouble?: { message: string }) => void told.push(trouble?.message) },
    clock,
    random: () => 0.5,
    onWait: () => waits++,
    firstMs: 100,
    longestMs: 1_000,
  };
  void untilDone('lock', options, () => {
    attempts.push(clock.monotonicMs());
    return taken ? fail(TAKEN) : ok('ours');
  }).then((done) => {
    value = done;
  });
  await clock.advance(10_000);
  const pauses = attempts.slice(1).map((atMs, i) => atMs - (attempts[i] ?? 0));
  expect(pauses.slice(0, 6)).toEqual([75, 150, 300, 600, 750, 750]);
  expect([waits, new Set(told), value]).toEqual([attempts.length, new Set([TAKEN.message]), undefined]);
  taken = false;
  await clock.advance(1_000);
  await settled();
  expect([value, told.at(-1), clock.pendingCount]).toEqual(['ours', undefined, 0]);
});
