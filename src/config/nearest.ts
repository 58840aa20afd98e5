/**
 * The name that was probably meant.
 *
 * @module
 */

/** Nothing that long is a misspelt name of ours, and the cost grows with the length. */
const NAME_LENGTH_MAX = 64;

/** The name closest to `wrong`, if one is close enough to be what was meant. Case does not count. */
export function nearest(wrong: string, names: Iterable<string>): string | undefined {
  if (wrong.length > NAME_LENGTH_MAX) return undefined;
  const lower = wrong.toLowerCase();
  // In a short name a single slip makes much of the difference: `v` is not meant by every letter.
  let best = Math.min(3, Math.floor(lower.length / 3)) + 1;
  let found: string | undefined;
  for (const name of names) {
    const distance = editDistance(lower, name.toLowerCase());
    if (distance < best) {
      best = distance;
      found = name;
    }
  }
  return found;
}

/** How many characters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const swapped = isSwap ? (before[column - 2] ?? 0) + 1 : replaced;
      current.push(Math.min(replaced, swapped, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    before = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
