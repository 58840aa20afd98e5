/**
 * Runs another plugin, found by CNI_PATH, as libcni's `invoke` does.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { CniAbort, type CniFailure, cniFailure, thrownText } from './failure.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import type { CniRequest } from './request.ts';

/** What it prints is a few hundred bytes. */
const OUTPUT_BYTES_MAX = 1 << 20;

/**
 * Runs the plugin `type` with the request's environment. `why` says what it is needed for.
 *
 * @returns what it printed. Throws {@link CniAbort} with its error, or if it cannot be run
 */
export function executePlugin(
  { environment, verb }: CniRequest,
  { type, config, why }: { type: string; config: string; why: string },
): JsonObject | undefined {
  const { CNI_PATH: searchPath = '' } = environment;
  const program = findPlugin(type, { path: searchPath, why });
  const { status, stdout, error } = spawnSync(program, [], {
    input: config,
    env: environment,
    stdio: ['pipe', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  if (error !== undefined) {
    throw new CniAbort(cniFailure('IO_FAILURE', `cannot run ${program}`, thrownText(error)));
  }
  const told = parse(stdout);
  if (status !== 0)
    throw new CniAbort(failureOf(told, `${program} failed for ${verb} with status ${status}`));
  return told;
}

function findPlugin(type: string, { path, why }: { path: string; why: string }): string {
  if (type === '' || type.includes('/')) {
    throw new CniAbort(cniFailure('INVALID_CONFIG', `'${type}' is no name of a plugin`));
  }
  for (const folder of path.split(':')) {
    const program = `${folder}/${type}`;
    try {
      if (folder !== '') {
        accessSync(program, constants.X_OK);
        return program;
      }
    } catch {
      // Then in the next.
    }
  }
  const details = `It is needed because ${why}; install it (Debian: containernetworking-plugins) or change that`;
  throw new CniAbort(cniFailure('OWN', `failed to find plugin "${type}" in path [${path}]`, details));
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function failureOf(told: JsonObject | undefined, otherwise: string): CniFailure {
  const { code, msg, details } = told ?? {};
  if (typeof code !== 'number' || typeof msg !== 'string') return cniFailure('OWN', otherwise);
  return { code, msg, details: typeof details === 'string' ? details : '' };
}
