/**
 * Where the network's configuration comes from: net-conf.json, which has to be right at the start, or the store of
 * leases, where it is waited for.
 *
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { contradiction, unusedAddresses } from './config/contradictions.ts';
import { type ConfigError, describeConfigError } from './config/error.ts';
import type { GivenFlags } from './config/flag-values.ts';
import { parseNetConf } from './config/net-conf.ts';
import type { NetworkConfig } from './model/network.ts';
import { type Problem, problem } from './model/problem.ts';
import { fail, ok, type Result } from './model/result.ts';
import type { Settings } from './model/settings.ts';

/** What the configuration must agree with. */
export interface NetworkContext {
  readonly settings: Settings;
  /** Where the settings came from. */
  readonly given: GivenFlags;
}

/** The configuration, and lines for the log about it. */
export interface ReadNetwork {
  readonly network: NetworkConfig;
  readonly notes: readonly string[];
}

/** Reads net-conf.json; a mistake in it ends the start. */
export function readNetConf(context: NetworkContext): Result<ReadNetwork, ConfigError> {
  const path = context.settings.netConfigPath;
  let text: string;
  try {
    // What is no file may have no end, or never begin.
    if (!statSync(path).isFile()) throw new Error('not a regular file');
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const value = `${path} (${error instanceof Error ? error.message : String(error)})`;
    return fail({ kind: 'invalid', key: 'net-config-path', value, expected: 'a readable net-conf.json' });
  }
  return judge(text, path, context);
}

/** Judges a configuration that somebody else keeps, and may put right while the agent waits. */
export function judgeStored(
  text: string,
  place: string,
  context: NetworkContext,
): Result<ReadNetwork, Problem> {
  const judged = judge(text, place, context);
  if (judged.ok) return judged;
  return fail(
    problem('network-invalid', `The network's configuration: ${describeConfigError(judged.error)}`),
  );
}

function judge(
  text: string,
  place: string,
  { settings, given }: NetworkContext,
): Result<ReadNetwork, ConfigError> {
  const parsed = parseNetConf(text);
  if (!parsed.ok) return fail({ ...parsed.error, expected: `${parsed.error.expected} (in ${place})` });
  const { config: network, notes } = parsed.value;
  const told = { given, settings, network };
  const contrary = contradiction(told);
  return contrary === undefined
    ? ok({ network, notes: [...notes, ...unusedAddresses(told)] })
    : fail(contrary);
}
