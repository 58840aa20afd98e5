/**
 * What a container runtime asks: its environment variables and the configuration on standard input, as the CNI
 * specification 1.1 has them. The checks are those of the reference plugins' `pkg/skel`.
 *
 * @module
 */
import { CniAbort, cniFailure, thrownText } from './failure.ts';
import { isJsonObject, type JsonObject, optionalText, type Place } from './json.ts';
import {
  CNI_VERSIONS,
  type CniVerb,
  type CniVersion,
  isAtLeast,
  isCniVersion,
  verbSince,
} from './version.ts';

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One call of a plugin. */
export interface CniRequest {
  readonly verb: CniVerb;
  readonly version: CniVersion;
  /** The configuration, whose other members each plugin reads. */
  readonly config: Place;
  /** Its bytes as text. */
  readonly stdin: string;
  /** Of the network. */
  readonly name: string;
  /** Empty for GC and STATUS. */
  readonly containerId: string;
  /** The path of the namespace; empty if it is not known any more, and for GC and STATUS. */
  readonly netns: string;
  /** Of the interface in the container; empty for GC and STATUS. */
  readonly ifname: string;
  readonly environment: Environment;
}

/** What one plugin does for each verb: what it prints, or nothing. Each throws {@link CniAbort}. */
export type Plugin = Readonly<
  Record<CniVerb, (request: CniRequest) => JsonObject | undefined | Promise<JsonObject | undefined>>
>;

/** The variables that a verb cannot do without. */
const REQUIRED: Readonly<Record<CniVerb, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
  GC: ['CNI_PATH'],
  STATUS: ['CNI_PATH'],
};

/** Of container IDs and network names (`utils.ValidateContainerID`): they become names of files. */
const SAFE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** `linux/if.h`: IFNAMSIZ without its NUL. */
const IFNAME_LENGTH_MAX = 15;

/** Reads one call. Throws {@link CniAbort} with what is wrong. */
export function readRequest(environment: Environment, stdin: string): CniRequest {
  const { CNI_COMMAND: command = '' } = environment;
  if (!isVerb(command)) refuseVariable(`unknown CNI_COMMAND: '${command}'`);
  const missing = REQUIRED[command].filter((name) => !environment[name]);
  if (missing.length > 0) refuseVariable(`required env variables [${missing.join(',')}] missing`);
  const { CNI_CONTAINERID: containerId = '', CNI_NETNS: netns = '', CNI_IFNAME: ifname = '' } = environment;
  const ofContainer = command !== 'GC' && command !== 'STATUS';
  if (ofContainer) checkContainer(containerId, ifname);
  const config = parseConfig(stdin);
  const version = readVersion(config, command);
  const name = optionalText(config, 'name') ?? '';
  if (name === '') throw new CniAbort(cniFailure('INVALID_CONFIG', 'missing network name'));
  if (!SAFE_NAME.test(name)) {
    const rule = 'It must begin with a letter or digit; then letters, digits, _ . and - may follow';
    throw new CniAbort(
      cniFailure('INVALID_CONFIG', `invalid characters found in network name '${name}'`, rule),
    );
  }
  return { verb: command, version, config, stdin, name, containerId, netns, ifname, environment };
}

function isVerb(command: string): command is CniVerb {
  return Object.hasOwn(REQUIRED, command);
}

function refuseVariable(msg: string, details?: string): never {
  throw new CniAbort(cniFailure('INVALID_ENVIRONMENT', msg, details));
}

function checkContainer(containerId: string, ifname: string): void {
  if (!SAFE_NAME.test(containerId)) {
    const rule = 'It must begin with a letter or digit; then letters, digits, _ . and - may follow';
    refuseVariable(`invalid characters in CNI_CONTAINERID '${containerId}'`, rule);
  }
  if (ifname.length > IFNAME_LENGTH_MAX) {
    refuseVariable(`CNI_IFNAME '${ifname}' is too long`, `At most ${IFNAME_LENGTH_MAX} characters`);
  }
  if (ifname === '.' || ifname === '..' || /[/:\s]/.test(ifname)) {
    refuseVariable(`CNI_IFNAME '${ifname}' is no name of an interface`, "No '/', ':' or space, not . or ..");
  }
}

/** The configuration as an object. Throws {@link CniAbort} if it is none. */
export function parseConfig(stdin: string): Place {
  const object = parseObject(stdin);
  return { object, path: '' };
}

function parseObject(stdin: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(stdin);
  } catch (thrown) {
    throw new CniAbort(
      cniFailure('UNDECODABLE', 'the configuration on standard input is not JSON', thrownText(thrown)),
    );
  }
  if (isJsonObject(value)) return value;
  throw new CniAbort(cniFailure('UNDECODABLE', 'the configuration on standard input is not a JSON object'));
}

function readVersion(config: Place, verb: CniVerb): CniVersion {
  // A configuration that names none is of 0.1.0.
  const version = optionalText(config, 'cniVersion') || '0.1.0';
  const spoken = `Spoken here: ${CNI_VERSIONS.join(', ')}`;
  if (!isCniVersion(version)) {
    const msg = `incompatible CNI versions: the configuration is '${version}'`;
    throw new CniAbort(cniFailure('INCOMPATIBLE_VERSION', msg, spoken));
  }
  if (!isAtLeast(version, verbSince(verb))) {
    const msg = `config version does not allow ${verb}: it came with ${verbSince(verb)}, not with ${version}`;
    throw new CniAbort(cniFailure('INCOMPATIBLE_VERSION', msg, spoken));
  }
  return version;
}
