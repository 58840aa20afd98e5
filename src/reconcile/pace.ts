/**
 * How soon one pass may follow another.
 *
 * @module
 */

/** After a pass the next waits at least this long. */
const GAP_MS_MIN = 2;
const GAP_MS_MAX = 1_000;
/** So many passes within a second are what one damage leads to; what comes after them is a storm. */
const PASSES_AT_ONCE = 3;
const SECOND_MS = 1_000;
/** A pass that takes longer has work of its own, and others want their turn. */
const SHORT_MS_MAX = 50;

/**
 * The first short passes after quiet follow one another at once: a device that goes is announced twice, and the kernel is
 * busy with it for as long as the first pass takes. Those after them wait twice as long as the last one took.
 */
export class Pace {
  #sinceMs = Number.NEGATIVE_INFINITY;
  #passes = 0;

  /** A pass has ended. Gives back before when the next may not begin; all times are monotonic. */
  ended(startMs: number, durationMs: number): number {
    if (startMs - this.#sinceMs >= SECOND_MS) {
      this.#sinceMs = startMs;
      this.#passes = 0;
    }
    this.#passes++;
    const isAtOnce = this.#passes <= PASSES_AT_ONCE && durationMs <= SHORT_MS_MAX;
    const gapMs = isAtOnce ? GAP_MS_MIN : Math.max(GAP_MS_MIN, durationMs * 2);
    return startMs + durationMs + Math.min(GAP_MS_MAX, gapMs);
  }
}
