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
import { FLAGS, type Flag } from './flags.ts';
import { parseGoBool } from './go-values.ts';
import { nearest } from './nearest.ts';

/** What a command line says. */
export type ParsedArguments =
  | { readonly kind: 'help' }
  | { readonly kind: 'flags'; readonly given: GivenFlags };

/**
 * Reads the arguments after the command's name; the first mistake is the answer. A command that takes the agent's
 * flags and some of its own names those in `more`.
 */
export function parseArguments(
  argv: readonly string[],
  more: readonly Flag[] = [],
): Result<ParsedArguments, ConfigError> {
  const flags: FlagTable = new Map([...FLAGS, ...more].map((flag) => [flag.name, flag]));
  const occurrences = scan(argv, flags);
  // Who asks for help gets it, whatever else is on the line.
  if (occurrences.some(({ kind, name }) => kind === 'flag' && isHelp(name))) return ok({ kind: 'help' });
  const given = new Map<string, GivenFlag>();
  for (const [index, occurrence] of occurrences.entries()) {
    if (occurrence.kind === 'stray')
      return fail(strayArgument(occurrence.name, occurrences[index - 1], flags));
    const flag = flags.get(occurrence.name);
    if (flag === undefined) return fail(unknownFlag(occurrence.name, flags));
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

type FlagTable = ReadonlyMap<string, Flag>;

function optionsOf(flags: FlagTable): ParseArgsOptionsConfig {
  const options = [...flags.values()].map(({ name, spec }) => {
    const type: 'boolean' | 'string' = spec.type === 'bool' ? 'boolean' : 'string';
    return [name, { type, multiple: true }] as const;
  });
  return Object.fromEntries(options);
}

function scan(argv: readonly string[], flags: FlagTable): Occurrence[] {
  // To parseArgs a single dash means a group of one-letter options, which Go does not have.
  const args = argv.map((argument) => (/^-[^-]/.test(argument) ? `-${argument}` : argument));
  const { tokens } = parseArgs({
    args,
    options: optionsOf(flags),
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

function unknownFlag(name: string, flags: FlagTable): ConfigError {
  const meant = nearest(name, ['help', ...flags.keys()]);
  const hint = meant === undefined ? '' : `; did you mean '${meant}'?`;
  return { kind: 'unknown', key: name, value: undefined, expected: `a flag that --help lists${hint}` };
}

function strayArgument(argument: string, before: Occurrence | undefined, flags: FlagTable): ConfigError {
  const isBool = before?.value === undefined && flags.get(before?.name ?? '')?.spec.type === 'bool';
  const expected =
    isBool && parseGoBool(argument) !== undefined
      ? `'--${before?.name}=${argument}' if it is the value of that flag`
      : 'nothing but flags after the command';
  return { kind: 'invalid', key: 'argument', value: argument, expected };
}
