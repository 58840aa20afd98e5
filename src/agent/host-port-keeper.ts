/**
 * Keeps the pods' hostPorts in the kernel. The plugin makes them and asks no agent; but when somebody flushes all rules, no
 * plugin is called.
 *
 * @module
 */
import type { Clock, Timer } from '../model/clock.ts';
import type { PortsLook } from '../model/host-ports.ts';
import type { AgentJournal } from './journal.ts';

/** A transaction is many events: the look comes after the last of them. */
const SOON_MS = 10;
/** Whoever takes them away again and again is not answered faster than this. */
const AGAIN_MS = 250;
/** A plugin has the lock for some milliseconds. */
const BUSY_MS = 100;
/** How old a look may be before a pass, which need not be about rules at all, has another made. */
const FRESH_MS = 60_000;

/** What a keeper needs. */
export interface HostPortKeeperOptions {
  readonly clock: Pick<Clock, 'schedule' | 'monotonicMs'>;
  readonly journal: Pick<AgentJournal, 'hostPorts'>;
  /** Looks, and puts right what is not. */
  readonly look: () => Promise<PortsLook>;
}

/** See the module. */
export class HostPortKeeper {
  readonly #options: HostPortKeeperOptions;
  #timer: Timer | undefined;
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

  #lookIn(delayMs: number): void {
    this.#timer ??= this.#options.clock.schedule(delayMs, () => {
      this.#timer = undefined;
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    const { clock, journal, look } = this.#options;
    this.#lookedMs = clock.monotonicMs();
    const outcome = await look();
    if (outcome === 'busy') this.#lookIn(BUSY_MS);
    else if (outcome !== 'right') journal.hostPorts(outcome);
    if (typeof outcome === 'object' && 'was' in outcome) this.#restoredMs = clock.monotonicMs();
  }
}
