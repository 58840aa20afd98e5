/**
 * Words that came from other machines, made fit for logs and terminals.
 *
 * @module
 */
import { printable } from '../model/printable.ts';

const LENGTH_MAX = 64;

/** The text in single quotes, fit to be shown and cut to 64 characters. */
export function quoted(text: string): string {
  return `'${printable(text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}...` : text)}'`;
}
