/**
 * How long to wait before a store is tried again.
 *
 * @module
 */

const FIRST_MS = 100;
const LONGEST_MS = 30_000;

/**
 * The delay in milliseconds before the next attempt: 100 ms, doubled by every failure up to 30 s, of which
 * up to a half is taken off at random so that many agents do not come back at once.
 *
 * @param failures how many attempts have failed in a row, at least 1
 * @param random gives a number in [0, 1)
 */
export function backOffMs(failures: number, random: () => number): number {
  const ceilingMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16));
  return ceilingMs * (1 - random() / 2);
}
