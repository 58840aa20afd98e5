/**
 * Random numbers that come again with the same seed.
 *
 * @module
 */

/** Gives whole numbers from 0 to below `bound`. */
export type Random = (bound: number) => number;

/** A generator of 32 bits of state (Marsaglia's xorshift), good enough to choose what to spoil. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % bound;
  };
}

/** One of the items. */
export function pick<T>(random: Random, items: readonly [T, ...T[]]): T {
  return items[random(items.length)] ?? items[0];
}
