/**
 * One call that is due later, at a time that may move.
 *
 * @module
 */
import type { Clock, Timer } from '../model/clock.ts';

/** The longest sleep: within this time a jump of the wall clock is noticed though nothing else happens. */
const SLEEP_MS_MAX = 3_600_000;

/** Calls a function at the time set last, or up to an hour later than now if that is earlier. */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #timer: Timer | undefined;
  /** Monotonic milliseconds at which the timer rings. */
  #dueMs = Number.POSITIVE_INFINITY;

  /** `ring` looks at the clock itself: it may be called early. */
  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings in `delayMs`, but within an hour, instead of what was set before. */
  set(delayMs: number): void {
    this.cancel();
    const waitMs = Math.min(SLEEP_MS_MAX, Math.max(0, delayMs));
    this.#dueMs = this.#clock.monotonicMs() + waitMs;
    this.#timer = this.#clock.schedule(waitMs, () => {
      this.cancel();
      this.#ring();
    });
  }

  /** Rings in `delayMs` if it would not ring earlier. */
  setWithin(delayMs: number): void {
    if (this.#timer === undefined || this.#clock.monotonicMs() + delayMs < this.#dueMs) this.set(delayMs);
  }

  /** Does not ring until set again. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dueMs = Number.POSITIVE_INFINITY;
  }
}
