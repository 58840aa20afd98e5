/**
 * What must hold of every text that the program shows.
 *
 * @module
 */
import { mustHold } from '../target.ts';

/** What moves a cursor, hides or reorders text, or ends a line. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Long enough for every message of ours with what it quotes. */
const LINE_LENGTH_MAX = 1_000;

/** Fails unless a text is one printable line of bounded length. */
export function mustBeLine(text: string): void {
  mustHold(!UNPRINTABLE.test(text), `Not printable: ${JSON.stringify(text.slice(0, 200))}`);
  mustHold(text.length > 0 && text.length <= LINE_LENGTH_MAX, `A line of ${text.length} characters`);
}

/** Fails unless a text is printable lines. */
export function mustBePrintable(text: string): void {
  const found = UNPRINTABLE.exec(text.replaceAll('\n', ''));
  mustHold(found === null, `Not printable: ${JSON.stringify(found?.[0])}`);
}
