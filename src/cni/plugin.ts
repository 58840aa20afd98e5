/**
 * The executable as a CNI plugin: which one is told by the name that it was started under. Each plugin is loaded
 * by itself, for it is started for every pod.
 *
 * @module
 */
import { readFileSync, writeSync } from 'node:fs';
import { CNI_CODE, CniAbort, type CniFailure, cniFailure, thrownText } from './failure.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { type CniRequest, type Environment, readRequest } from './request.ts';
import { CNI_NEWEST, CNI_VERSIONS, type CniVersion, isCniVersion } from './version.ts';

/** What one plugin does for a request: what it prints, or nothing. Throws {@link CniAbort}. */
export type Plugin = (request: CniRequest) => JsonObject | undefined | Promise<JsonObject | undefined>;

const PLUGINS: ReadonlyMap<string, () => Promise<Plugin>> = new Map([
  ['flannel', loadFlannel],
  ['flannelette', loadFlannel],
  ['portmap', async () => (await import('./portmap/portmap.ts')).portmap],
  ['loopback', async () => (await import('./loopback.ts')).loopback],
]);

async function loadFlannel(): Promise<Plugin> {
  return (await import('./flannel/flannel.ts')).flannel;
}

/** A plugin's answer. */
export interface PluginAnswer {
  readonly status: 0 | 1;
  /** Empty if there is nothing to say. */
  readonly stdout: string;
}

/**
 * Answers as the plugin that `program` names.
 *
 * @returns the exit status
 */
export async function cniCommand(program: string, environment: Environment): Promise<number> {
  const { status, stdout } = await answer(program, { environment, readStdin });
  for (let rest = Buffer.from(stdout); rest.length > 0; ) rest = rest.subarray(writeSync(1, rest));
  return status;
}

/** What {@link answer} asks. */
export interface PluginInput {
  readonly environment: Environment;
  /** Throws what reading says. */
  readonly readStdin: () => string;
}

/** The answer to one call. */
export async function answer(program: string, input: PluginInput): Promise<PluginAnswer> {
  let stdin = '';
  try {
    const load = PLUGINS.get(program.slice(program.lastIndexOf('/') + 1));
    if (load === undefined) throw new CniAbort(unknownPlugin(program));
    stdin = read(input.readStdin);
    const { environment } = input;
    const { CNI_COMMAND: command } = environment;
    if (command === 'VERSION') {
      return success({ cniVersion: versionOf(stdin), supportedVersions: CNI_VERSIONS });
    }
    const request = readRequest(environment, stdin);
    const plugin = await load();
    return success(await plugin(request));
  } catch (thrown) {
    return failure(stdin, thrown);
  }
}

function unknownPlugin(program: string): CniFailure {
  const names = [...PLUGINS.keys()].join(', ');
  return cniFailure(
    'INVALID_ENVIRONMENT',
    `flannelette is no CNI plugin under the name '${program}'`,
    `Install it, or a link to it, under the name of what it is to be: ${names}`,
  );
}

function readStdin(): string {
  return readFileSync(0, 'utf8');
}

function read(source: () => string): string {
  try {
    return source();
  } catch (thrown) {
    throw new CniAbort(cniFailure('IO_FAILURE', 'cannot read standard input', thrownText(thrown)));
  }
}

function success(result: JsonObject | undefined): PluginAnswer {
  return { status: 0, stdout: result === undefined ? '' : `${JSON.stringify(result)}\n` };
}

function failure(stdin: string, thrown: unknown): PluginAnswer {
  const { code, msg, details } =
    thrown instanceof CniAbort
      ? thrown.failure
      : { code: CNI_CODE.OWN, msg: thrownText(thrown), details: 'This is a fault of flannelette: report it' };
  const told = { cniVersion: versionOf(stdin), code, msg, ...(details === '' ? {} : { details }) };
  return { status: 1, stdout: `${JSON.stringify(told)}\n` };
}

/** The version that the caller speaks, if it is one of ours. */
function versionOf(stdin: string): CniVersion {
  try {
    const config: unknown = JSON.parse(stdin);
    const { cniVersion } = isJsonObject(config) ? config : {};
    if (isCniVersion(cniVersion)) return cniVersion;
  } catch {
    // Then it is told in the newest.
  }
  return CNI_NEWEST;
}
