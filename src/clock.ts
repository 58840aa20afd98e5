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
    const timer = setTimeout(fn, Math.min(Math.max(0, delayMs), DELAY_MS_MAX));
    return { cancel: () => clearTimeout(timer) };
  },
};
