/**
 * The file beside the database by which a writer tells readers that it has committed. A watch on the
 * write-ahead log itself comes too early: it fires before the row can be read.
 *
 * @module
 */
import { closeSync, existsSync, openSync, utimesSync } from 'node:fs';

/** The mode of every file that the store makes. */
export const CREATE_MODE = 0o600;

/** The path of the file that is touched after a commit. It stays empty. */
export function siblingOf(path: string): string {
  return `${path}-changed`;
}

/**
 * Makes the sibling file if there is none; one that is there is not touched.
 *
 * @returns its path
 * @throws a system error
 */
export function ensureSibling(path: string): string {
  const sibling = siblingOf(path);
  if (!existsSync(sibling)) closeSync(openSync(sibling, 'a', CREATE_MODE));
  return sibling;
}

/**
 * Sets the times of the sibling file, which writes no data but wakes those who watch it; makes it if need be.
 *
 * @throws a system error
 */
export function touchSibling(path: string): void {
  const now = new Date();
  utimesSync(ensureSibling(path), now, now);
}
