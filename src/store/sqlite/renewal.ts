/**
 * Keeps a lease from expiring.
 *
 * The timer runs by the monotonic clock, but whether a renewal is due is decided by the wall clock, which is
 * what other agents read expiry times by. It is asked at every look, and at least once an hour.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';
import { Alarm } from '../alarm.ts';
import { LIFETIME_MS, SLACK_MS } from './expiry.ts';

/** After a failed renewal, flannel's pause, plus up to a quarter at random. */
const RETRY_MS = 60_000;

/** What a renewal is made of. */
export interface RenewalOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** How long before its expiry the lease is renewed. */
  readonly marginMs: number;
  /**
   * Writes the new expiry.
   *
   * @param isLate whether others may take the lease as expired already, and have to be told
   * @returns the new expiry in milliseconds since the epoch, or `undefined` if that failed
   */
  readonly renew: (isLate: boolean) => number | undefined;
}

/** The timer of one lease at a time. */
export class Renewal {
  readonly #options: RenewalOptions;
  readonly #alarm: Alarm;
  #expiresMs: number | undefined;
  /** Monotonic milliseconds before which nothing is tried after a failure. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.check());
  }

  /** Begins to keep a lease that expires at this time. */
  hold(expiresMs: number): void {
    this.#expiresMs = expiresMs;
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    this.#plan();
  }

  /** Keeps nothing any more. */
  stop(): void {
    this.#expiresMs = undefined;
    this.#alarm.cancel();
  }

  /** Renews the lease if that is due. */
  check(): void {
    if (this.#expiresMs === undefined) return;
    const { clock, random, marginMs, renew } = this.#options;
    const leftMs = this.#expiresMs - clock.nowMs();
    const isDue = leftMs <= marginMs || leftMs > LIFETIME_MS + SLACK_MS;
    if (isDue && clock.monotonicMs() >= this.#notBeforeMs) {
      const expiresMs = renew(leftMs <= marginMs / 2);
      if (this.#expiresMs === undefined) return;
      if (expiresMs === undefined) {
        this.#notBeforeMs = clock.monotonicMs() + RETRY_MS * (1 + random() / 4);
      } else {
        this.hold(expiresMs);
        return;
      }
    }
    this.#plan();
  }

  #plan(): void {
    if (this.#expiresMs === undefined) return;
    const { clock, marginMs } = this.#options;
    const dueMs = this.#expiresMs - clock.nowMs() - marginMs;
    this.#alarm.set(Math.max(dueMs, this.#notBeforeMs - clock.monotonicMs()));
  }
}
