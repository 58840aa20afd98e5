/**
 * Gives memory back once the work is done: on a node of 512 MB what start-up has used is missed elsewhere.
 *
 * @module
 */

/** Work is over when nothing was reported for this long. */
const QUIET_MS = 700;
/** What a first collection has freed, a second gives back: the allocator returns whole pages only. */
const SECOND_MS = 300;

/** So many changes leave some hundred kilobytes of garbage, be they made at once or one by one. */
const CHANGES_WORTH_TRIMMING = 200;

/** Runs a function later, once; the last call counts. */
export type Later = (delayMs: number, fn: () => void) => { cancel(): void };

/** Collects after work that leaves garbage behind, and only then: no timer runs while nothing happens. */
export class MemoryTrimmer {
  readonly #later: Later;
  #due: { cancel(): void } | undefined;
  #changes = 0;

  constructor(later: Later) {
    this.#later = later;
  }

  /** Something was done that has made much garbage. */
  worked(): void {
    this.#due?.cancel();
    this.#due = this.#later(QUIET_MS, () => {
      trim();
      this.#due = this.#later(SECOND_MS, trim);
    });
  }

  /** So many changes were made: in the sum they count. */
  changed(changes: number): void {
    this.#changes += changes;
    if (this.#changes < CHANGES_WORTH_TRIMMING) return;
    this.#changes = 0;
    this.worked();
  }

  stop(): void {
    this.#due?.cancel();
  }
}

/** A full collection: what makes garbage of megabytes in a row stays small by it, for some milliseconds each. */
export function collect(): void {
  Bun.gc(true);
}

/** A full collection, then `Bun.shrink`, which drops compiled code and free pages: code that is used comes back. */
function trim(): void {
  Bun.gc(true);
  Bun.shrink();
}
