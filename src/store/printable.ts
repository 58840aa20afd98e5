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

/** Whether a text can be a node's name: 1 to 253 characters (RFC 1123), printable ASCII without spaces. */
export function isNodeName(text: string): boolean {
  return /^[\x21-\x7e]{1,253}$/.test(text);
}
