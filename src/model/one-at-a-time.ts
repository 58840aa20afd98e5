/**
 * Work that may be asked for while it is being done.
 *
 * @module
 */

/** Does it once more then, and never twice at a time. */
export class OneAtATime {
  readonly #work: () => Promise<void>;
  #isRunning = false;
  #isAsked = false;

  /** @param work must not throw */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  ask(): void {
    this.#isAsked = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#work();
    }
    this.#isRunning = false;
  }
}
