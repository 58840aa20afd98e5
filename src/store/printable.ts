/**
 * Words that came from other machines, made fit for logs and terminals.
 *
 * @module
 */

const LENGTH_MAX = 64;

/** The text in single quotes: cut to 64 characters, everything but printable ASCII shown as `?`. */
export function quoted(text: string): string {
  const cut = text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}...` : text;
  return `'${cut.replace(/[^\x20-\x7e]/g, '?')}'`;
}

/** Whether a text can be a node's name: 1 to 253 characters (RFC 1123), printable ASCII without spaces. */
export function isNodeName(text: string): boolean {
  return /^[\x21-\x7e]{1,253}$/.test(text);
}
