/**
 * The executable as a CNI plugin: which one is told by the name that it was started under. Each plugin is loaded
 * by itself, for it is started for every pod.
 *
 * @module
 */
import { readAll, writeAll } from '../../ffi/files.ts';
import { CNI_CODE, CniAbort, type CniFailure, cniFailure, thrownText } from './failure.ts';
import { need } from './io.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { type Environment, type Plugin, readRequest } from './request.ts';
import { CNI_NEWEST, CNI_VERSIONS, type CniVersion, isCniVersion } from './version.ts';

const STDIN = 0;
const STDOUT = 1;
/** A configuration with the result of a whole chain has a few thousand bytes. */
const STDIN_BYTES_MAX = 1 << 20;

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
  // Whoever does not read the answer does not want it.
  writeAll(STDOUT, stdout);
  return status;
}

/** What {@link answer} asks. */
export interface PluginInput {
  readonly environment: Environment;
  /** Gives back the configuration, or `-errno`. */
  readonly readStdin: () => string | number;
}

/** The answer to one call. */
export async function answer(program: string, input: PluginInput): Promise<PluginAnswer> {
  let stdin = '';
  try {
    const load = PLUGINS.get(program.slice(program.lastIndexOf('/') + 1));
    if (load === undefined) throw new CniAbort(unknownPlugin(program));
    const { environment } = input;
    const { CNI_COMMAND: command = '' } = environment;
    // Before standard input, which then is a terminal.
    if (command === '') throw new CniAbort(startedByHand());
    stdin = String(need('read standard input', input.readStdin()));
    if (command === 'VERSION') {
      return success({ cniVersion: versionOf(stdin), supportedVersions: CNI_VERSIONS });
    }
    const request = readRequest(environment, stdin);
    const plugin = await load();
    return success(await plugin[request.verb](request));
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

function startedByHand(): CniFailure {
  return cniFailure(
    'INVALID_ENVIRONMENT',
    'required env variables [CNI_COMMAND] missing',
    "Under this name it is a CNI plugin, which container runtimes start; the agent is 'flannelette run'",
  );
}

function readStdin(): string | number {
  return readAll(STDIN, STDIN_BYTES_MAX);
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
