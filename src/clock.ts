/**
 * The machine's clocks.
 *
 * @module
 */
import type { Clock } from './model/clock.ts';

/** The longest delay that a JavaScript timer takes (a signed 32-bit number of milliseconds). */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** Real time. A delay of more than 24.8 days is cut to that: whoever waits longer looks again. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule(delayMs, fn) {
    if (delayMs <= 0) {
      // The shortest timer takes a millisecond, which is a third of what a repair takes.
      const immediate = setImmediate(fn);
      return { cancel: () => clearImmediate(immediate) };
    }
    const timer = setTimeout(fn, Math.min(delayMs, DELAY_MS_MAX));
    return { cancel: () => clearTimeout(timer) };
  },
};
