/**
 * The flags that were given, over the table's defaults.
 *
 * @module
 */

import { fail, ok, type Result } from '../model/result.ts';
import { type ConfigError, invalid } from './error.ts';
import { FLAGS, type Flag, type FlagNameOf, type FlagSpec, type FlagValue, flagNamed } from './flags.ts';
import { parseGoBool, parseGoInt } from './go-values.ts';

/** One flag that was set on the command line or in the environment. */
export interface GivenFlag {
  readonly flag: Flag;
  readonly value: FlagValue;
  /** As its author wrote it: the flag's name or the variable's. */
  readonly key: string;
}

/** The flags that were set, by name. */
export type GivenFlags = ReadonlyMap<string, GivenFlag>;

/** Reads the text of one occurrence of a flag; `key` is where it came from. A list gets one entry. */
export function parseFlagValue(
  flag: Flag,
  at: { key: string; value: string },
): Result<FlagValue, ConfigError> {
  const { spec } = flag;
  const refused = fail(
    invalid({ key: at.key, value: isSecret(flag) ? undefined : at.value }, expectedOf(spec)),
  );
  switch (spec.type) {
    case 'bool': {
      const value = parseGoBool(at.value);
      return value === undefined ? refused : ok(value);
    }
    case 'int': {
      const value = parseGoInt(at.value, spec.base);
      return value === undefined || value < spec.min || value > spec.max ? refused : ok(value);
    }
    case 'string':
      return spec.choices !== undefined && !spec.choices.includes(at.value) ? refused : ok(at.value);
    case 'list':
      return ok([at.value]);
  }
}

/** What a flag may hold, in words. */
function expectedOf(spec: FlagSpec): string {
  switch (spec.type) {
    case 'bool':
      return 'true or false';
    case 'int':
      return `an integer from ${spec.min} to ${spec.max}`;
    case 'string':
      return spec.choices?.join(' or ') ?? 'a text';
    case 'list':
      return 'a text';
  }
}

/** Whether a flag's value must not be shown. */
export function isSecret(flag: Flag): boolean {
  return flag.spec.type === 'string' && flag.spec.secret === true;
}

/** A flag whose value was forgotten takes the next argument for it, which may be a secret's. */
export function withoutSecret(error: ConfigError): ConfigError {
  const isTold = FLAGS.some((flag) => isSecret(flag) && error.value?.includes(flag.name));
  return isTold ? { ...error, value: undefined } : error;
}

/** The value of a boolean flag. */
export function boolOf(given: GivenFlags, name: FlagNameOf<'bool'>): boolean {
  return heldBy(given, name) === true;
}

/** The value of a text flag. */
export function textOf(given: GivenFlags, name: FlagNameOf<'string'>): string {
  const value = heldBy(given, name);
  return typeof value === 'string' ? value : '';
}

/** The value of an integer flag. */
export function intOf(given: GivenFlags, name: FlagNameOf<'int'>): number {
  const value = heldBy(given, name);
  return typeof value === 'number' ? value : 0;
}

/** The entries of a list flag. */
export function listOf(given: GivenFlags, name: FlagNameOf<'list'>): readonly string[] {
  const value = heldBy(given, name);
  return typeof value === 'object' ? value : [];
}

/** Where a flag's value came from, for messages. */
export function keyOf(given: GivenFlags, name: string): string {
  return given.get(name)?.key ?? name;
}

function heldBy(given: GivenFlags, name: string): FlagValue | undefined {
  return given.get(name)?.value ?? flagNamed(name)?.spec.fallback;
}
