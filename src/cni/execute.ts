/**
 * Runs another plugin, found by CNI_PATH, as libcni's `invoke` does.
 *
 * @module
 */
import { isExecutable } from '../../ffi/files.ts';
import { CniAbort, type CniFailure, cniFailure, thrownText } from './failure.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import type { CniRequest, Environment } from './request.ts';

/** What it prints is a few hundred bytes. */
const OUTPUT_BYTES_MAX = 1 << 20;

/**
 * Runs the plugin `type` with the request's environment. `why` says what it is needed for.
 *
 * @returns what it printed. Throws {@link CniAbort} with its error, or if it cannot be run
 */
export function executePlugin(
  request: CniRequest,
  { type, config, why }: { type: string; config: string; why: string },
): JsonObject | undefined {
  const program = findPlugin(request.environment, { type, why });
  return executeProgram(program, request, { config, argv0: program });
}

/** The same for a program that is found already, under the name `argv0`. */
export function executeProgram(
  program: string,
  { environment, verb }: Pick<CniRequest, 'environment' | 'verb'>,
  input: ProgramInput,
): JsonObject | undefined {
  const { exitCode, stdout } = spawn(program, environment, input);
  const told = parse(stdout.toString());
  if (exitCode !== 0)
    throw new CniAbort(failureOf(told, `${program} failed for ${verb} with status ${exitCode}`));
  return told;
}

interface ProgramInput {
  readonly config: string;
  readonly argv0: string;
}

function spawn(program: string, env: Environment, { config, argv0 }: ProgramInput) {
  try {
    return Bun.spawnSync([program], {
      argv0,
      stdin: new TextEncoder().encode(config),
      env,
      stderr: 'inherit',
      maxBuffer: OUTPUT_BYTES_MAX,
    });
  } catch (thrown) {
    throw new CniAbort(cniFailure('IO_FAILURE', `cannot run ${program}`, thrownText(thrown)));
  }
}

/** The path of a plugin. Throws {@link CniAbort} if there is none. */
export function findPlugin(
  { CNI_PATH: path = '' }: Environment,
  { type, why }: { type: string; why: string },
): string {
  if (type === '' || type.includes('/')) {
    throw new CniAbort(cniFailure('INVALID_CONFIG', `'${type}' is no name of a plugin`));
  }
  for (const folder of path.split(':')) {
    const program = `${folder}/${type}`;
    if (folder !== '' && isExecutable(program)) return program;
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
