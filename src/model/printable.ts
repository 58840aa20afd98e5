/**
 * Text that is safe to show: what came from a peer, a file or the kernel may hold terminal escapes.
 *
 * @module
 */

/** Control and format characters (escapes, bidirectional overrides), line and paragraph ends, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The text with every character that could move a cursor or reorder a line written as `\uXXXX` (JSON's form). */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    let escaped = '';
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
    }
    return escaped;
  });
}
