/**
 * How long to wait before something is tried again.
 *
 * @module
 */

/** How {@link backOffMs} grows. */
export interface BackOff {
  /** Gives a number in [0, 1). */
  readonly random: () => number;
  /** After the first failure; default 100. */
  readonly firstMs?: number;
  /** Default a minute. */
  readonly longestMs?: number;
}

/**
 * The delay in milliseconds before the next attempt: doubled by every failure up to the longest, and each time
 * between half and the whole of that, so that many do not come back at once.
 *
 * @param failures how many attempts have failed in a row, at least 1
 */
export function backOffMs(failures: number, { random, firstMs = 100, longestMs = 60_000 }: BackOff): number {
  const ceilingMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return ceilingMs * (0.5 + random() / 2);
}
