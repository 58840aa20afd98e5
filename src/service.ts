/**
 * The agent as a service: what its manager is told of it, and when.
 *
 * @module
 */
import type { Clock } from './model/clock.ts';
import type { Notifier } from './sd-notify.ts';
import { type Proof, Watchdog } from './watchdog.ts';

/** What the service manager is told about. */
export interface Served {
  readonly isReady: () => boolean;
  /** How the agent is, in a sentence with the remedy. */
  readonly sentence: () => string;
  /** Has work done that shows that the agent lives; {@link Service.seen} hears of its end. */
  readonly prove: (proof: Proof) => void;
}

/** Keeps the manager told. Without one it does nothing, and wakes nobody. */
export class Service {
  readonly #notifier: Notifier;
  readonly #clock: Clock;
  #served: Served | undefined;
  #watchdog: Watchdog | undefined;
  #isReady = false;

  constructor(notifier: Notifier, clock: Clock) {
    this.#notifier = notifier;
    this.#clock = clock;
  }

  /** From here on the manager is told how `served` is. */
  begin(served: Served): void {
    this.#served = served;
    const { watchdogMs: intervalMs } = this.#notifier;
    if (intervalMs !== undefined) {
      this.#watchdog = new Watchdog({
        intervalMs,
        clock: this.#clock,
        ask: served.prove,
        feed: () => void this.#notifier.alive(),
      });
    }
    this.changed();
  }

  /** How the agent is may have changed. */
  changed(): void {
    if (!this.#notifier.listened || this.#served === undefined) return;
    const { isReady, sentence } = this.#served;
    // A node that is ready once stays so for its manager: what comes later is in the sentence.
    if (this.#isReady || !isReady()) this.#notifier.status(sentence());
    else this.#isReady = this.#notifier.ready(sentence());
  }

  /** Work was done. */
  seen(proof: Proof): void {
    this.#watchdog?.seen(proof);
  }

  /** The agent has begun to end. */
  stopping(): void {
    this.#watchdog?.stop();
    this.#notifier.stopping();
  }
}
