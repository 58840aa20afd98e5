/**
 * Keeps a lease of etcd from expiring. etcd counts its time by a clock that does not jump; ours of that kind stands
 * still while the machine sleeps. So whichever of our two clocks says so first makes a renewal due.
 *
 * @module
 */
import { backOffMs } from '../../model/back-off.ts';
import type { Clock } from '../../model/clock.ts';
import { Alarm } from '../alarm.ts';

/** A failed renewal is tried again after this long, then less and less often, but for as long as it lasts. */
const RETRY_MS = 1_000;

/** How long before its end a lease is renewed at the latest, and what it may go by. */
const LEAST_MARGIN_MS = 60_000;

/** What a renewal is made of. */
export interface RenewalOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** How long before its expiry the lease is renewed. */
  readonly marginMs: number;
  /** Renews, and gives back the new time in milliseconds, or `undefined` if that failed. It never throws. */
  readonly renew: () => Promise<number | undefined>;
}

/** When a lease ends by both clocks, and how long before that it is renewed. */
interface End {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly marginMs: number;
}

/** The timer of one lease at a time. */
export class Renewal {
  readonly #options: RenewalOptions;
  readonly #alarm: Alarm;
  /** Told to a renewal that began for a lease of before. */
  #generation = 0;
  #end: End | undefined;
  #isBusy = false;
  #failures = 0;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => void this.#check());
  }

  /** When the lease ends by the wall clock, in milliseconds since the epoch. */
  get expiresMs(): number | undefined {
    return this.#end?.wallMs;
  }

  /** Begins to keep a lease that lasts this long from now on. */
  hold(ttlMs: number): void {
    const { clock, marginMs } = this.#options;
    this.#generation++;
    this.#failures = 0;
    this.#end = {
      wallMs: clock.nowMs() + ttlMs,
      monotonicMs: clock.monotonicMs() + ttlMs,
      // A margin of the whole time would renew without end.
      marginMs: Math.min(marginMs, ttlMs - Math.min(LEAST_MARGIN_MS, ttlMs / 2)),
    };
    this.#plan();
  }

  /** Renews at once: how long the lease lasts is not known. */
  now(): void {
    const { clock } = this.#options;
    const { wallMs, monotonicMs } = this.#end ?? { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    this.#end = { wallMs, monotonicMs, marginMs: Number.POSITIVE_INFINITY };
    this.#alarm.set(0);
  }

  /** Keeps nothing any more. */
  stop(): void {
    this.#generation++;
    this.#end = undefined;
    this.#alarm.cancel();
  }

  async #check(): Promise<void> {
    if (this.#isBusy || this.#end === undefined) return;
    if (this.#leftMs(this.#end) > 0) {
      this.#plan();
      return;
    }
    const generation = this.#generation;
    this.#isBusy = true;
    const ttlMs = await this.#options.renew();
    this.#isBusy = false;
    if (generation !== this.#generation) {
      this.#plan();
      return;
    }
    if (ttlMs !== undefined) {
      this.hold(ttlMs);
      return;
    }
    this.#failures++;
    this.#alarm.set(backOffMs(this.#failures, { random: this.#options.random, firstMs: RETRY_MS }));
  }

  #plan(): void {
    if (this.#end !== undefined) this.#alarm.set(this.#leftMs(this.#end));
  }

  /** Until it is time to renew. */
  #leftMs({ wallMs, monotonicMs, marginMs }: End): number {
    const { clock } = this.#options;
    return Math.min(wallMs - clock.nowMs(), monotonicMs - clock.monotonicMs()) - marginMs;
  }
}
