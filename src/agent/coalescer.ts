/**
 * Work that events ask for: done at once after quiet, and seldom while they pour in.
 *
 * @module
 */
import type { Clock, Timer } from '../model/clock.ts';

/** After a run the next waits at least this long, and twice as long as the run took. */
const GAP_MS_MIN = 2;
const GAP_MS_MAX = 1_000;

/** What is run, and by which clock. */
export interface CoalescerOptions {
  readonly clock: Clock;
  /** Told the first cause since the last run. */
  readonly run: (cause: string) => void;
}

/** Runs at the first trigger, and once more for all that come too soon after it. */
export class Coalescer {
  readonly #options: CoalescerOptions;
  #notBeforeMs = 0;
  #timer: Timer | undefined;

  constructor(options: CoalescerOptions) {
    this.#options = options;
  }

  /** Asks for a run. */
  trigger(cause: string): void {
    if (this.#timer !== undefined) return;
    const { clock } = this.#options;
    const waitMs = this.#notBeforeMs - clock.monotonicMs();
    if (waitMs <= 0) this.#run(cause);
    else this.#timer = clock.schedule(waitMs, () => this.#run(cause));
  }

  /** Takes back what is asked for. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #run(cause: string): void {
    const { clock, run } = this.#options;
    this.cancel();
    const startMs = clock.monotonicMs();
    run(cause);
    const endMs = clock.monotonicMs();
    this.#notBeforeMs = endMs + Math.min(GAP_MS_MAX, Math.max(GAP_MS_MIN, (endMs - startMs) * 2));
  }
}
