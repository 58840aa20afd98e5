/**
 * Regular expressions written for Go (RE2 syntax), compiled by JavaScript's engine.
 *
 * @module
 */

/** Flags at the start of a pattern that both languages know by the same letter. */
const LEADING_FLAGS = /^\(\?([ims]+)\)/;

const PUNCTUATION = /[!-/:-@[-`{-~]/;

/**
 * Compiles a Go pattern, unanchored as `regexp.MatchString` is; `undefined` if it does not compile.
 *
 * The two languages agree on what people write to match names and addresses. Where they differ, the `u` flag
 * makes JavaScript refuse rather than match something else; the harmless differences are translated.
 */
export function compileGoPattern(text: string): RegExp | undefined {
  const flags = LEADING_FLAGS.exec(text);
  const body = text.slice(flags?.[0].length ?? 0).replace(/\\([\s\S])|\(\?P</g, (whole, escaped?: string) => {
    if (escaped === undefined) return '(?<';
    if (escaped === 'A') return '^';
    if (escaped === 'z') return '$';
    if (!PUNCTUATION.test(escaped)) return whole;
    return `\\x${escaped.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  try {
    return new RegExp(body, [...new Set(`${flags?.[1] ?? ''}u`)].join(''));
  } catch {
    return undefined;
  }
}
