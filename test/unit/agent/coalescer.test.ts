import { expect, test } from 'bun:test';
import { Coalescer } from '../../../src/agent/coalescer.ts';
import { FakeClock } from '../../sim/fake-clock.ts';

function make(costMs = 0): { clock: FakeClock; coalescer: Coalescer; runs: string[] } {
  const clock = new FakeClock();
  const runs: string[] = [];
  const run = (cause: string) => {
    runs.push(`${clock.monotonicMs()} ${cause}`);
    clock.spend(costMs);
  };
  return { clock, coalescer: new Coalescer({ clock, run }), runs };
}

test('Coalescer runs at once after quiet, and once for all that follow', async () => {
  const { clock, coalescer, runs } = make();
  for (const cause of ['a', 'b', 'c']) coalescer.trigger(cause);
  expect(runs).toEqual(['0 a']);
  await clock.advance(10);
  expect(runs).toEqual(['0 a', '2 b']);
  coalescer.trigger('d');
  expect(runs.at(-1)).toBe('10 d');
});

test('Coalescer waits twice as long as a run took, but never more than a second', async () => {
  const { clock, coalescer, runs } = make(50);
  coalescer.trigger('a');
  coalescer.trigger('b');
  await clock.advance(99);
  expect(runs.length).toBe(1);
  await clock.advance(1);
  expect(runs).toEqual(['0 a', '150 b']);
  const slow = make(60_000);
  slow.coalescer.trigger('a');
  slow.coalescer.trigger('b');
  await slow.clock.advance(1_000);
  expect(slow.runs).toEqual(['0 a', '61000 b']);
});

test('Coalescer runs nothing more once it is cancelled, and leaves no timer', async () => {
  const { clock, coalescer, runs } = make();
  coalescer.trigger('a');
  coalescer.trigger('b');
  coalescer.cancel();
  await clock.advance(10);
  expect(runs).toEqual(['0 a']);
  expect(clock.pendingCount).toBe(0);
});
