/**
 * Signs of life for a service manager: given for work that was done, never for time that has passed. A loop
 * that hangs does no work, and so is ended and started again.
 *
 * @module
 */
import type { Clock, Timer } from './model/clock.ts';

/** What shows that the agent lives: a pass that came to its end, a health request that was answered. */
export const PROOFS = ['pass', 'answer'] as const;

/** See {@link PROOFS}. */
export type Proof = (typeof PROOFS)[number];

/** What a {@link Watchdog} needs. */
export interface WatchdogOptions {
  /** How long the manager bears silence, in milliseconds. */
  readonly intervalMs: number;
  readonly clock: Clock;
  /** Has work done of which {@link Watchdog.seen} hears when it is over. */
  readonly ask: (proof: Proof) => void;
  /** Gives the sign. */
  readonly feed: () => void;
}

/** Work that is done of itself within this part of the interval after a sign needs none of its own. */
const QUIET_PART = 1 / 4;
/** Where nothing has shown by then that the agent lives it is asked to; and again, so that one answer may be late. */
const ASK_PART = 1 / 3;

/** Gives a sign whenever every proof was seen since the last. */
export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #missing = new Set<Proof>(PROOFS);
  #fedMs: number;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#fedMs = Number.NEGATIVE_INFINITY;
    this.#planToAsk();
  }

  /** Work was done. */
  seen(proof: Proof): void {
    const { clock, intervalMs, feed } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#stopped || nowMs - this.#fedMs < intervalMs * QUIET_PART) return;
    this.#missing.delete(proof);
    if (this.#missing.size > 0) return;
    this.#fedMs = nowMs;
    for (const each of PROOFS) this.#missing.add(each);
    this.#planToAsk();
    feed();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #planToAsk(): void {
    const { clock, intervalMs, ask } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.schedule(intervalMs * ASK_PART, () => {
      this.#planToAsk();
      for (const proof of [...this.#missing]) ask(proof);
    });
  }
}
