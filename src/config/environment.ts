/**
 * Flags from the environment: `FLANNELD_` variables, as flanneld reads them.
 *
 * @module
 */

import { fail, ok, type Result } from '../model/result.ts';
import type { ConfigError } from './error.ts';
import { type GivenFlag, type GivenFlags, parseFlagValue } from './flag-values.ts';
import { environmentName, FLAGS } from './flags.ts';
import { nearest } from './nearest.ts';

/** A variable that is none of ours and may have been meant as one, for the log. Kubernetes sets others of the prefix. */
export function misspeltVariables(env: Environment): string[] {
  const known = FLAGS.map(environmentName);
  return Object.keys(env)
    .filter((name) => name.startsWith('FLANNELD_') && !known.includes(name))
    .flatMap((name) => {
      const meant = nearest(name, known);
      return meant === undefined ? [] : [`${name}: unknown variable, skipped; did you mean '${meant}'?`];
    });
}

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Adds what the environment says about flags that the command line does not set. An empty variable counts as
 * unset; a list gets exactly one entry. Unlike flanneld, which logs a bad value and goes on, we refuse it.
 */
export function addEnvironment(given: GivenFlags, env: Environment): Result<GivenFlags, ConfigError> {
  const all = new Map<string, GivenFlag>(given);
  for (const flag of FLAGS) {
    // FLANNELD_VERSION has no effect in flanneld: the version is printed before the environment is read.
    if (all.has(flag.name) || flag.name === 'version') continue;
    const key = environmentName(flag);
    const text = env[key];
    if (text === undefined || text === '') continue;
    const parsed = parseFlagValue(flag, { key, value: text });
    if (!parsed.ok) return fail(parsed.error);
    all.set(flag.name, { flag, key, value: parsed.value });
  }
  return ok(all);
}
