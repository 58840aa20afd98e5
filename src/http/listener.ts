/**
 * A listener that may fail: it is opened again, with jittered back-off, for as long as something is in its
 * way. It has a timer only while it fails.
 *
 * @module
 */
import { backOffMs } from '../model/back-off.ts';
import type { Clock } from '../model/clock.ts';
import type { Problem } from '../model/problem.ts';
import type { Result } from '../model/result.ts';

/** Something that listens. */
export interface OpenListener {
  /** Whether clients still reach it; asked at the agent's audit, so it must be cheap. */
  intact(): boolean;
  close(): Promise<void>;
}

/** What a {@link Listener} needs. */
export interface ListenerOptions {
  readonly open: () => Promise<Result<OpenListener, Problem>>;
  readonly clock: Clock;
  /** Told when its problem comes, changes or goes. */
  readonly onProblem?: ((problem: Problem | undefined) => void) | undefined;
}

/** How long it waits before it tries again: twice as long each time, of which up to half is taken off. */
const RETRY_MS_MIN = 1_000;

/** Keeps one listener open. No method rejects. */
export class Listener {
  readonly #options: ListenerOptions;
  #opening: Promise<void> | undefined;
  #opened: OpenListener | undefined;
  #problem: Problem | undefined;
  #retry: ReturnType<Clock['schedule']> | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** What keeps it from listening now. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** Tries to open it, unless it is open; fulfilled when the first try is over. */
  start(): Promise<void> {
    if (this.#closed || this.#opened !== undefined) return Promise.resolve();
    this.#opening ??= this.#try().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Opens it again if clients no longer reach it; fulfilled when that is done. */
  async ensure(): Promise<void> {
    const opened = this.#opened;
    if (opened === undefined || opened.intact()) return;
    this.#opened = undefined;
    await opened.close();
    await this.start();
  }

  /** Ends it for good. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    await this.#opening;
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.close();
  }

  async #try(): Promise<void> {
    this.#retry?.cancel();
    const result = await this.#options.open();
    if (this.#closed) {
      if (result.ok) await result.value.close();
      return;
    }
    if (result.ok) {
      this.#opened = result.value;
      this.#failures = 0;
      this.#report(undefined);
      return;
    }
    this.#retry = this.#options.clock.schedule(this.#nextDelayMs(), () => void this.start());
    this.#report(result.error);
  }

  #nextDelayMs(): number {
    this.#failures++;
    return backOffMs(this.#failures, { random: Math.random, firstMs: RETRY_MS_MIN });
  }

  #report(problem: Problem | undefined): void {
    const changed = problem?.message !== this.#problem?.message;
    this.#problem = problem;
    if (changed) this.#options.onProblem?.(problem);
  }
}
