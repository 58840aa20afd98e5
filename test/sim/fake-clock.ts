/**
 * A clock whose hands a test turns.
 *
 * @module
 */
import type { Clock, Timer } from '../../src/model/clock.ts';

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Stands still until it is told to go on. */
export class FakeClock implements Clock {
  #monotonicMs = 0;
  #order = 0;
  readonly #due = new Set<Due>();
  /** How much wall-clock time is ahead of monotonic time; a test may make it jump. */
  wallOffsetMs = Date.UTC(2026, 0, 1);

  readonly nowMs = (): number => this.wallOffsetMs + this.#monotonicMs;

  readonly monotonicMs = (): number => this.#monotonicMs;

  readonly schedule = (delayMs: number, fn: () => void): Timer => {
    const due: Due = { atMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order++, fn };
    this.#due.add(due);
    return { cancel: () => void this.#due.delete(due) };
  };

  /** How many calls are due some time. */
  get pendingCount(): number {
    return this.#due.size;
  }

  /** When the next call is due, in milliseconds from now. */
  get nextInMs(): number | undefined {
    const next = this.#next();
    return next && Math.max(0, next.atMs - this.#monotonicMs);
  }

  /** Time that somebody spends working: nothing is called meanwhile. */
  spend(ms: number): void {
    this.#monotonicMs += ms;
  }

  /** Goes on by `ms`, makes every call that falls due, and lets what it started run to its end. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settled();
    for (let next = this.#next(); next !== undefined && next.atMs <= endMs; next = this.#next()) {
      this.#due.delete(next);
      this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs);
      next.fn();
      await settled();
    }
    this.#monotonicMs = Math.max(this.#monotonicMs, endMs);
  }

  #next(): Due | undefined {
    let next: Due | undefined;
    for (const due of this.#due) {
      if (next === undefined || due.atMs < next.atMs || (due.atMs === next.atMs && due.order < next.order))
        next = due;
    }
    return next;
  }
}

/** Waits until everything that waits for nothing but promises has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
