/**
 * How often something took how long.
 *
 * @module
 */

/**
 * Upper bounds in seconds: from the repair of one object to a look at 5,000 peers, or a store on an SD card, on the
 * slowest board.
 */
export const DURATION_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

/** Durations, counted by the first of {@link DURATION_BOUNDS} that they do not exceed. */
export class Histogram {
  /** One more than there are bounds: the last is for what exceeds them all. */
  readonly #counts = new Float64Array(DURATION_BOUNDS.length + 1);
  #sum = 0;

  /** Counts one duration. */
  observe(seconds: number): void {
    const at = DURATION_BOUNDS.findIndex((bound) => seconds <= bound);
    const bucket = at < 0 ? DURATION_BOUNDS.length : at;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += seconds;
  }

  /** All durations together, in seconds. */
  get sum(): number {
    return this.#sum;
  }

  /** How many durations were counted by a bound, given by its place; the one after the last is infinity. */
  countAt(place: number): number {
    return this.#counts[place] ?? 0;
  }
}
