/**
 * Keeps the pods' hostPorts in the kernel. The plugin makes them and asks no agent; but when somebody flushes all rules, no
 * plugin is called.
 *
 * @module
 */
import { backOffMs } from '../model/back-off.ts';
import type { Clock, Timer } from '../model/clock.ts';
import type { PortsLook } from '../model/host-ports.ts';
import type { AgentJournal } from './journal.ts';

/** A transaction is many events: the look comes after the last of them. */
const SOON_MS = 10;
/** Whoever takes them away again and again is not answered faster than this. */
const AGAIN_MS = 250;
/** A plugin has the lock for some milliseconds. */
const BUSY_MS = 100;
/** After the first failure; the next is tried later. */
const FAILED_MS = 1_000;
/** How old a look may be before a pass, which need not be about rules at all, has another made. */
const FRESH_MS = 60_000;

/** What a keeper needs. */
export interface HostPortKeeperOptions {
  readonly clock: Pick<Clock, 'schedule' | 'monotonicMs'>;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
  readonly journal: Pick<AgentJournal, 'hostPorts'>;
  /** Looks, and puts right what is not. */
  readonly look: () => Promise<PortsLook>;
}

/** See the module. */
export class HostPortKeeper {
  readonly #options: HostPortKeeperOptions;
  #next: { readonly timer: Timer; readonly dueMs: number } | undefined;
  /** In a row. */
  #failures = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #restoredMs = Number.NEGATIVE_INFINITY;

  constructor(options: HostPortKeeperOptions) {
    this.#options = options;
  }

  /** Somebody has changed the tables, a plugin perhaps. */
  heard(): void {
    const isNew = this.#options.clock.monotonicMs() - this.#restoredMs > AGAIN_MS;
    this.#lookIn(isNew ? SOON_MS : AGAIN_MS);
  }

  /** Events may be missed, or nobody may have listened: from time to time there is a look without one. */
  ensure(): void {
    if (this.#options.clock.monotonicMs() - this.#lookedMs > FRESH_MS) this.#lookIn(SOON_MS);
  }

  /** A look that is due earlier is not put off, one that is due later gives way. */
  #lookIn(delayMs: number): void {
    const { clock } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs;
    if (this.#next !== undefined && this.#next.dueMs <= dueMs) return;
    this.#next?.timer.cancel();
    const timer = clock.schedule(delayMs, () => {
      this.#next = undefined;
      void this.#look();
    });
    this.#next = { timer, dueMs };
  }

  async #look(): Promise<void> {
    const { clock, random, journal, look } = this.#options;
    this.#lookedMs = clock.monotonicMs();
    const outcome = await look();
    if (outcome === 'busy') return this.#lookIn(BUSY_MS);
    this.#failures = typeof outcome === 'object' && 'failed' in outcome ? this.#failures + 1 : 0;
    if (outcome === 'right') return;
    journal.hostPorts(outcome);
    if ('was' in outcome) this.#restoredMs = clock.monotonicMs();
    // No event may come, and on an idle node no pass for minutes.
    else this.#lookIn(backOffMs(this.#failures, { random, firstMs: FAILED_MS }));
  }
}
