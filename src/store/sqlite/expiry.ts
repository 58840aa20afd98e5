/**
 * When peers' leases run out.
 *
 * A clock that jumps, at the first time sync of a board without a battery for instance, makes all leases look
 * expired at once while their holders are alive. So an expired lease counts as gone only after it has been
 * seen expired for a while by the clock that never jumps. Its holder, who sees the same jump, renews at once
 * and tells; so does everybody who hears of that renewal.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';

/** How long a lease lasts: flannel's TTL of 24 hours. */
export const LIFETIME_MS = 86_400_000;

/** How long an expired lease stays in use: twice the time after which a failed renewal is tried again. */
export const GRACE_MS = 120_000;

/** What a lease may last beyond its lifetime before it is implausible: the wall clock is slewed now and then. */
export const SLACK_MS = 60_000;

/** The longest pause before the database is tried again. */
export const RETRY_MS_MAX = 30_000;

/** A lease that is not simply alive. */
interface Suspect {
  /** What the lease says, to tell when it was renewed. */
  readonly expiresMs: number;
  /** Monotonic milliseconds at which it is gone. */
  readonly goneAtMs: number;
}

/** Judges leases by their expiry times. It remembers only those that are not simply alive. */
export class ExpiryJudge {
  readonly #clock: Clock;
  readonly #suspects = new Map<string, Suspect>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Whether a lease is gone, which it is at the end of the grace period that begins when it is first seen
   * expired. One written while the clock was far ahead would last for years: its end is a lifetime after it was
   * first seen.
   */
  isGone(node: string, expiresMs: number): boolean {
    const leftMs = expiresMs - this.#clock.nowMs();
    const isExpired = leftMs <= 0;
    if (!isExpired && leftMs <= LIFETIME_MS + SLACK_MS) {
      this.#suspects.delete(node);
      return false;
    }
    const monotonicMs = this.#clock.monotonicMs();
    const known = this.#suspects.get(node);
    if (known?.expiresMs === expiresMs) {
      // The clock may have jumped since, so that what was implausible is just expired, and the reverse.
      const limitMs = monotonicMs + (isExpired ? GRACE_MS : LIFETIME_MS);
      if (known.goneAtMs <= limitMs) return known.goneAtMs <= monotonicMs;
    }
    const goneAtMs = monotonicMs + (isExpired ? GRACE_MS : LIFETIME_MS);
    this.#suspects.set(node, { expiresMs, goneAtMs });
    return false;
  }

  /** Forgets a node that has no lease any more. */
  forget(node: string): void {
    this.#suspects.delete(node);
  }

  /** Milliseconds until the next suspect is gone, if there is any. */
  nextMs(): number | undefined {
    const monotonicMs = this.#clock.monotonicMs();
    let nextMs: number | undefined;
    for (const { goneAtMs } of this.#suspects.values()) {
      const waitMs = goneAtMs - monotonicMs;
      if (waitMs > 0 && (nextMs === undefined || waitMs < nextMs)) nextMs = waitMs;
    }
    return nextMs;
  }
}
