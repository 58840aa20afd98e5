/**
 * Waits for a locked database without blocking anything else.
 *
 * @module
 */
import type { Clock, Timer } from '../../model/clock.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, type Result } from '../../model/result.ts';
import type { StoreFailure } from './failure.ts';

/** How long a lock is waited for before it becomes a problem. Our own transactions take milliseconds. */
export const PATIENCE_MS = 5_000;

/** The shortest and the longest pause between two attempts. */
const PAUSE_MS_MIN = 10;
const PAUSE_MS_MAX = 100;

/** Attempts with pauses between them, until they succeed, fail for another reason, or take too long. */
export class Patience {
  readonly #clock: Clock;
  readonly #random: () => number;
  /** What ends the pauses of now. */
  readonly #sleepers = new Map<() => void, Timer>();
  #closed = false;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Repeats an attempt for as long as another process is in the way, up to 5 s. */
  async wait<T>(attempt: () => Result<T, StoreFailure>): Promise<Result<T, Problem>> {
    const deadlineMs = this.#clock.monotonicMs() + PATIENCE_MS;
    while (!this.#closed) {
      const result = attempt();
      if (result.ok) return result;
      const { busy, problem: reason } = result.error;
      if (!busy || this.#clock.monotonicMs() >= deadlineMs) return fail(reason);
      await this.#sleep(PAUSE_MS_MIN + (PAUSE_MS_MAX - PAUSE_MS_MIN) * this.#random());
    }
    return fail(problem('store-unavailable', 'The lease store was closed'));
  }

  /** Ends all waiting, and allows none any more. */
  close(): void {
    this.#closed = true;
    for (const [wake, timer] of this.#sleepers) {
      timer.cancel();
      wake();
    }
    this.#sleepers.clear();
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((wake) => {
      const timer = this.#clock.schedule(delayMs, () => {
        this.#sleepers.delete(wake);
        wake();
      });
      this.#sleepers.set(wake, timer);
    });
  }
}
