/**
 * Text as one word of a shell's command line.
 *
 * @module
 */

/** What no shell takes for anything but itself. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** The text in quotes if it needs some (POSIX, Shell Command Language, 2.2.2). */
export function quoteForShell(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
