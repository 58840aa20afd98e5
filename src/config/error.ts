/**
 * What is wrong with a flag, a variable or a configuration key, as a value and as one line of text.
 *
 * @module
 */

/** What kinds of mistake there are; each has its own wording. `docs/operations.md` lists the same. */
export const CONFIG_ERROR_KINDS = ['invalid', 'missing', 'unknown', 'unsupported', 'syntax'] as const;

/** See {@link CONFIG_ERROR_KINDS}. */
export type ConfigErrorKind = (typeof CONFIG_ERROR_KINDS)[number];

/** One mistake in what the agent was told from outside. */
export interface ConfigError {
  readonly kind: ConfigErrorKind;
  /** Where it is, as its author wrote it: `healthz-port`, `FLANNELD_HEALTHZ_PORT`, `Backend.VNI`. */
  readonly key: string;
  /** What was found there; `undefined` if nothing was, or if it must not be shown. */
  readonly value: string | undefined;
  /** What would have been right, so that it reads on after "expected". */
  readonly expected: string;
}

/** A mistake in a value: the most common kind. */
export function invalid(at: Pick<ConfigError, 'key' | 'value'>, expected: string): ConfigError {
  return { kind: 'invalid', key: at.key, value: at.value, expected };
}

/** A value that has to be there and is not. */
export function missing(key: string, expected: string): ConfigError {
  return { kind: 'missing', key, value: undefined, expected };
}

/** Key, value and what was expected, on exactly one line of bounded length. */
export function describeConfigError(error: ConfigError): string {
  return `${printable(error.key)}: ${complaint(error)}, expected ${error.expected}`;
}

function complaint(error: ConfigError): string {
  const value = error.value === undefined ? undefined : `'${printable(error.value)}'`;
  switch (error.kind) {
    case 'invalid':
      return value === undefined ? 'invalid value' : `invalid value ${value}`;
    case 'missing':
      return 'no value given';
    case 'unknown':
      return 'unknown flag';
    case 'unsupported':
      return value === undefined
        ? 'not supported by this version'
        : `${value} is not supported by this version`;
    case 'syntax':
      return `found ${value ?? 'the end of the text'}`;
  }
}

/** Longer text is cut: an error is read in a log line. */
const SHOWN_LENGTH_MAX = 100;

/** Control, formatting and unassigned characters and line separators: what moves a cursor or hides. */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/u;

/** Text from outside made safe to show: hidden characters are escaped, and a long rest is cut. */
export function printable(text: string): string {
  let shown = '';
  for (const character of text) {
    const piece = HIDDEN.test(character) ? escaped(character) : character;
    if (shown.length + piece.length > SHOWN_LENGTH_MAX) return `${shown}…`;
    shown += piece;
  }
  return shown;
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function escaped(character: string): string {
  return SHORT_ESCAPES.get(character) ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
