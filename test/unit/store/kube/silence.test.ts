/** Silence, noticed once, by one timer. @module */
import { expect, test } from 'bun:test';
import { Silence } from '../../../../src/store/kube/silence.ts';
import { FakeClock } from '../../../sim/fake-clock.ts';

function listen(limitMs: number) {
  const clock = new FakeClock();
  let times = 0;
  const silence = new Silence(clock, limitMs, () => times++);
  return { clock, silence, times: () => times };
}

test('silence from the beginning is noticed once', async () => {
  const { clock, silence, times } = listen(1_000);
  await clock.advance(999);
  expect([times(), silence.isOver]).toEqual([0, false]);
  await clock.advance(1);
  expect([times(), silence.isOver]).toEqual([1, true]);
  await clock.advance(10_000);
  expect([times(), clock.pendingCount]).toEqual([1, 0]);
});

test('a sign of life gives it the whole time again, without a timer of its own', async () => {
  const { clock, silence, times } = listen(1_000);
  for (let n = 0; n < 20; n++) {
    await clock.advance(600);
    silence.heard();
    expect(clock.pendingCount).toBe(1);
  }
  await clock.advance(999);
  expect(times()).toBe(0);
  await clock.advance(1);
  expect(times()).toBe(1);
});

test('a limit that is raised holds from the last sign of life', async () => {
  const { clock, silence, times } = listen(1_000);
  await clock.advance(500);
  silence.heard();
  silence.limit(5_000);
  await clock.advance(4_999);
  expect(times()).toBe(0);
  await clock.advance(1);
  expect(times()).toBe(1);
});

test('it listens no longer once it is stopped', async () => {
  const { clock, silence, times } = listen(1_000);
  silence.stop();
  await clock.advance(10_000);
  expect([times(), clock.pendingCount]).toEqual([0, 0]);
});
