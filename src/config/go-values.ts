/**
 * Values in Go's notation, as the `flag` package reads them through `strconv`.
 *
 * @module
 */

const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** Reads a boolean as Go's `strconv.ParseBool` does. */
export function parseGoBool(text: string): boolean | undefined {
  if (TRUE.includes(text)) return true;
  return FALSE.includes(text) ? false : undefined;
}

/** More digits than any 64-bit number needs, even in base 2 with underscores. */
const INT_LENGTH_MAX = 130;

/** Go's integer literals: an underscore may follow a prefix or stand between digits. */
const BASE_0 = /^([+-]?)(0x(?:_?[0-9a-f])+|0b(?:_?[01])+|0o?(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)$/i;
const BASE_10 = /^([+-]?)([0-9]+)$/;

/** Reads an integer as Go's `strconv.ParseInt` does with this base; larger than a double holds is `undefined`. */
export function parseGoInt(text: string, base: 0 | 10): number | undefined {
  if (text.length > INT_LENGTH_MAX) return undefined;
  const match = (base === 0 ? BASE_0 : BASE_10).exec(text);
  if (match === null) return undefined;
  const digits = (match[2] ?? '').replaceAll('_', '');
  // BigInt knows Go's prefixes but reads a plain leading zero as decimal.
  const literal = base === 0 && /^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits;
  const value = Number(BigInt(literal)) * (match[1] === '-' ? -1 : 1);
  // Adding zero turns -0 into 0.
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}
