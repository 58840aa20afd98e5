/**
 * Half-open connections: nothing comes, and nobody says that nothing will come.
 *
 * @module
 */
import type { Clock, Timer } from '../../model/clock.ts';

/** Notices that nothing has come for too long, with one timer for many signs of life. */
export class Silence {
  readonly #clock: Clock;
  readonly #onSilence: () => void;
  #limitMs: number;
  #heardMs: number;
  #timer: Timer;
  #isOver = false;

  constructor(clock: Clock, limitMs: number, onSilence: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onSilence = onSilence;
    this.#heardMs = clock.monotonicMs();
    this.#timer = clock.schedule(limitMs, () => this.#look());
  }

  /** Whether it has lasted too long. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sets how long it may last, in milliseconds. */
  limit(ms: number): void {
    this.#limitMs = ms;
  }

  /** There was a sign of life. */
  heard(): void {
    this.#heardMs = this.#clock.monotonicMs();
  }

  /** Listens no longer. */
  stop(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const leftMs = this.#heardMs + this.#limitMs - this.#clock.monotonicMs();
    if (leftMs > 0) {
      this.#timer = this.#clock.schedule(leftMs, () => this.#look());
      return;
    }
    this.#isOver = true;
    this.#onSilence();
  }
}
