/**
 * The command line in the syntax of Go's `flag` package: `-x` and `--x` are the same, booleans take a value only
 * after `=`, `--` ends the flags.
 *
 * @module
 */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { fail, ok, type Result } from '../model/result.ts';
import { type ConfigError, missing } from './error.ts';
import { type GivenFlag, type GivenFlags, parseFlagValue } from './flag-values.ts';
import { FLAGS, type Flag, flagNamed } from './flags.ts';
import { parseGoBool } from './go-values.ts';
import { nearest } from './nearest.ts';

/** What a command line says. */
export type ParsedArguments =
  | { readonly kind: 'help' }
  | { readonly kind: 'flags'; readonly given: GivenFlags };

/** Reads the arguments after the command's name; the first mistake is the answer. */
export function parseArguments(argv: readonly string[]): Result<ParsedArguments, ConfigError> {
  const occurrences = scan(argv);
  // Who asks for help gets it, whatever else is on the line.
  if (occurrences.some(({ kind, name }) => kind === 'flag' && isHelp(name))) return ok({ kind: 'help' });
  const given = new Map<string, GivenFlag>();
  for (const [index, occurrence] of occurrences.entries()) {
    if (occurrence.kind === 'stray') return fail(strayArgument(occurrence.name, occurrences[index - 1]));
    const flag = flagNamed(occurrence.name);
    if (flag === undefined) return fail(unknownFlag(occurrence.name));
    const value = occurrence.value ?? (flag.spec.type === 'bool' ? 'true' : undefined);
    if (value === undefined) return fail(missing(flag.name, `'--${flag.name} ${flag.valueName}'`));
    const parsed = parseFlagValue(flag, { key: flag.name, value });
    if (!parsed.ok) return parsed;
    const before = given.get(flag.name)?.value;
    const both = typeof before === 'object' && typeof parsed.value === 'object';
    given.set(flag.name, { flag, key: flag.name, value: both ? [...before, ...parsed.value] : parsed.value });
  }
  return ok({ kind: 'flags', given });
}

interface Occurrence {
  readonly kind: 'flag' | 'stray';
  /** The flag's name without dashes, or the stray argument itself. */
  readonly name: string;
  readonly value: string | undefined;
}

const OPTIONS: ParseArgsOptionsConfig = Object.fromEntries(
  FLAGS.map(({ name, spec }) => [
    name,
    { type: spec.type === 'bool' ? 'boolean' : 'string', multiple: true },
  ]),
);

function scan(argv: readonly string[]): Occurrence[] {
  // To parseArgs a single dash means a group of one-letter options, which Go does not have.
  const args = argv.map((argument) => (/^-[^-]/.test(argument) ? `-${argument}` : argument));
  const { tokens } = parseArgs({
    args,
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const occurrences: Occurrence[] = [];
  for (const token of tokens) {
    const original = argv[token.index] ?? '';
    if (token.kind === 'positional') {
      occurrences.push({ kind: 'stray', name: original, value: undefined });
    } else if (token.kind === 'option') {
      // A value in an argument of its own may have got a dash above: the original counts.
      const value = token.inlineValue === false ? argv[token.index + 1] : token.value;
      occurrences.push({ kind: 'flag', name: token.name, value });
    }
  }
  return occurrences;
}

function isHelp(name: string): boolean {
  return name === 'h' || name === 'help';
}

function unknownFlag(name: string): ConfigError {
  const meant = nearest(name, ['help', ...FLAGS.map((flag: Flag) => flag.name)]);
  const hint = meant === undefined ? '' : `; did you mean '${meant}'?`;
  return { kind: 'unknown', key: name, value: undefined, expected: `a flag that --help lists${hint}` };
}

function strayArgument(argument: string, before: Occurrence | undefined): ConfigError {
  const isBool = before?.value === undefined && flagNamed(before?.name ?? '')?.spec.type === 'bool';
  const expected =
    isBool && parseGoBool(argument) !== undefined
      ? `'--${before?.name}=${argument}' if it is the value of that flag`
      : 'nothing but flags after the command';
  return { kind: 'invalid', key: 'argument', value: argument, expected };
}
