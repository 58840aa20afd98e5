/**
 * Colours for a terminal, or none.
 *
 * @module
 */

/** Ways to set a text off; each returns it unchanged where there is no colour. */
export interface Style {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
}

/** The styles of a page (ECMA-48 SGR, the sixteen colours that every terminal has). */
export function styleOf(colour: boolean): Style {
  const sgr = (code: number) => (text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: sgr(32), bad: sgr(31), warn: sgr(33), dim: sgr(2), bold: sgr(1) };
}

/** Whether to write colours to standard output: no-color.org, and what a pipe or a dumb terminal cannot show. */
export function wantsColour(env: Readonly<Record<string, string | undefined>>, isTty: boolean): boolean {
  const { NO_COLOR: noColour = '', TERM: terminal } = env;
  return isTty && noColour === '' && terminal !== 'dumb';
}
