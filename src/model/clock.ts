/**
 * Time as a seam: what waits or expires is given a clock, so that tests can turn its hands.
 *
 * @module
 */

/** A call that is due later. */
export interface Timer {
  /** Takes the call back; does nothing once it was made. */
  cancel(): void;
}

/** Wall-clock time for what is written down, monotonic time for what is waited for. */
export interface Clock {
  /** Milliseconds since the epoch. It jumps when the machine's clock is set. */
  nowMs(): number;
  /** Milliseconds since some moment. It never jumps, and stands still while the machine sleeps. */
  monotonicMs(): number;
  /** Calls `fn` once, `delayMs` from now by the monotonic clock; at least in the next turn of the event loop. */
  schedule(delayMs: number, fn: () => void): Timer;
}
