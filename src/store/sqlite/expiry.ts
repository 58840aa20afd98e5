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

/** The expiry times of leases, and since when which of them were seen expired. */
export class ExpiryTracker {
  readonly #clock: Clock;
  readonly #expiresMs = new Map<string, number>();
  /** What was written, of leases that would last implausibly long. */
  readonly #implausibleMs = new Map<string, number>();
  /** Monotonic milliseconds of the first look that found the lease expired. */
  readonly #expiredAtMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes down when a node's lease expires. One written while the clock was far ahead would last for years: it
   * gets the usual lifetime, from the moment when it was first read.
   */
  set(node: string, expiresMs: number): void {
    const limitMs = this.#clock.nowMs() + LIFETIME_MS + SLACK_MS;
    if ((this.#implausibleMs.get(node) ?? this.#expiresMs.get(node)) === expiresMs) return;
    if (expiresMs > limitMs) this.#implausibleMs.set(node, expiresMs);
    else this.#implausibleMs.delete(node);
    this.#expiresMs.set(node, Math.min(expiresMs, limitMs));
    this.#expiredAtMs.delete(node);
  }

  /** Forgets a node. */
  delete(node: string): void {
    this.#expiresMs.delete(node);
    this.#implausibleMs.delete(node);
    this.#expiredAtMs.delete(node);
  }

  /** Takes a node's lease as expired from now on, as when it is gone from a store that was made anew. */
  expire(node: string): void {
    this.set(node, 0);
    // Asking is looking: the grace period begins.
    this.isGone(node);
  }

  /** Whether a node's lease has been seen expired for the whole grace period, which begins with the first question. */
  isGone(node: string): boolean {
    const expiresMs = this.#expiresMs.get(node);
    if (expiresMs === undefined || expiresMs > this.#clock.nowMs()) {
      this.#expiredAtMs.delete(node);
      return false;
    }
    const monotonicMs = this.#clock.monotonicMs();
    const sinceMs = this.#expiredAtMs.get(node);
    if (sinceMs === undefined) this.#expiredAtMs.set(node, monotonicMs);
    return sinceMs !== undefined && monotonicMs - sinceMs >= GRACE_MS;
  }

  /** The nodes whose leases are gone by now. */
  gone(): string[] {
    return [...this.#expiresMs.keys()].filter((node) => this.isGone(node));
  }

  /** Milliseconds until the next lease is seen to expire or is gone; those that are gone do not count. */
  nextMs(): number | undefined {
    const nowMs = this.#clock.nowMs();
    const monotonicMs = this.#clock.monotonicMs();
    let nextMs: number | undefined;
    for (const [node, expiresMs] of this.#expiresMs) {
      const sinceMs = this.#expiredAtMs.get(node);
      const waitMs = sinceMs === undefined ? expiresMs - nowMs : sinceMs + GRACE_MS - monotonicMs;
      if (sinceMs !== undefined && waitMs <= 0) continue;
      if (nextMs === undefined || waitMs < nextMs) nextMs = waitMs;
    }
    return nextMs;
  }
}
