/**
 * From the command line and the environment to checked settings.
 *
 * @module
 */

import { isNodeName, NODE_NAME_LENGTH_MAX } from '../model/node-name.ts';
import { fail, ok, type Result } from '../model/result.ts';
import type { CniSettings, LeaseStoreSettings, Settings } from '../model/settings.ts';
import { parseArguments } from './arguments.ts';
import {
  type Check,
  checkAddress,
  checkFile,
  checkInterfaces,
  checkOptionalPath,
  checkPath,
  checkPatterns,
  checkSocket,
} from './checks.ts';
import { addEnvironment, type Environment, misspeltVariables } from './environment.ts';
import { type ConfigError, invalid, missing } from './error.ts';
import { boolOf, type GivenFlags, intOf, textOf, withoutSecret } from './flag-values.ts';
import { type Paths, pathConflict } from './paths.ts';
import { checkStore } from './store.ts';

/** What the agent is told from outside. */
export interface SettingsInput {
  /** The arguments after the command's name. */
  readonly argv: readonly string[];
  readonly env: Environment;
  /** As the kernel has it; used where NODE_NAME is not set. */
  readonly hostName: string;
  /** The working directory, to which relative paths belong. */
  readonly cwd: string;
}

/** What the command line asks for. Each of `notes` is a line for the log. */
export type ParsedSettings =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'settings';
      readonly settings: Settings;
      /** Where the settings came from. */
      readonly given: GivenFlags;
      readonly notes: readonly string[];
    };

/** Reads and checks everything that is told from outside but net-conf.json; the first mistake is the answer. */
export function parseSettings(input: SettingsInput): Result<ParsedSettings, ConfigError> {
  const parsed = readSettings(input);
  return parsed.ok ? parsed : fail(withoutSecret(parsed.error));
}

function readSettings(input: SettingsInput): Result<ParsedSettings, ConfigError> {
  const parsed = parseArguments(input.argv);
  if (!parsed.ok) return parsed;
  if (parsed.value.kind === 'help') return ok({ kind: 'help' });
  if (boolOf(parsed.value.given, 'version')) return ok({ kind: 'version' });
  const given = addEnvironment(parsed.value.given, input.env);
  if (!given.ok) return given;
  const check: Check = { given: given.value, cwd: input.cwd, errors: [], notes: [] };
  check.notes.push(...ignoredFlags(given.value), ...misspeltVariables(input.env));
  const settings = checkedSettings(check, input);
  const [error = pathConflict(given.value, pathsOf({ ...settings, leaseDb: leaseFile(settings.leases) }))] =
    check.errors;
  if (error !== undefined) return fail(error);
  return ok({ kind: 'settings', settings, given: given.value, notes: check.notes });
}

/** Where the agent has its files; a lease database may be missing. */
type PathSettings = Pick<Settings, 'netConfigPath' | 'subnetFile' | 'stateDir' | 'socketPath'> & {
  readonly leaseDb: string | undefined;
};

/** The paths that must differ. */
export function pathsOf({ netConfigPath, leaseDb, subnetFile, stateDir, socketPath }: PathSettings): Paths {
  return {
    'net-config-path': netConfigPath,
    'lease-db': leaseDb,
    'subnet-file': subnetFile,
    'state-dir': stateDir,
    socket: socketPath,
  };
}

/** The file of leases, if they are in one. */
function leaseFile(leases: LeaseStoreSettings): string | undefined {
  return leases.kind === 'sqlite' ? leases.path : undefined;
}

function checkedSettings(check: Check, input: SettingsInput): Settings {
  const { given } = check;
  const leases = checkStore(check, input.env);
  return {
    nodeName: leases.kind === 'kube' && leases.pod !== undefined ? '' : checkNodeName(check, input),
    netConfigPath: checkFile(check, 'net-config-path'),
    subnetFile: checkFile(check, 'subnet-file'),
    stateDir: checkPath(check, 'state-dir'),
    socketPath: checkSocket(check),
    cni: checkCni(check),
    leases,
    interfaceChoice: {
      names: checkInterfaces(check),
      patterns: checkPatterns(check, 'iface-regex'),
      canReach: checkAddress(check, { name: 'iface-can-reach', families: [4, 6] }),
      publicIpv4: checkAddress(check, { name: 'public-ip', families: [4] }),
      publicIpv6: checkAddress(check, { name: 'public-ipv6', families: [6] }),
    },
    ipMasq: boolOf(given, 'ip-masq'),
    masqFullyRandom: !boolOf(given, 'ip-masq-fully-random-disable'),
    forwardRules: boolOf(given, 'iptables-forward-rules'),
    iptables: boolOf(given, 'iptables'),
    fixForward: boolOf(given, 'fix-forward'),
    blackhole: boolOf(given, 'ip-blackhole-route'),
    renewMarginMinutes: intOf(given, 'subnet-lease-renew-margin'),
    // Go listens on every address if none is named.
    healthzIp: checkAddress(check, { name: 'healthz-ip', families: [4, 6], toBind: true }) ?? '0.0.0.0',
    healthzPort: intOf(given, 'healthz-port'),
    logFormat: textOf(given, 'log-format') === 'json' ? 'json' : 'logfmt',
    verbosity: intOf(given, 'v'),
  };
}

/** Where the CNI plugin is installed; `undefined` if it is not. */
export function checkCni(check: Check): CniSettings | undefined {
  const { given } = check;
  if (!boolOf(given, 'install-cni')) return undefined;
  return {
    confDir: checkOptionalPath(check, 'cni-conf-dir'),
    binDir: checkOptionalPath(check, 'cni-bin-dir'),
    confFile: textOf(given, 'cni-conf-file') === '' ? undefined : checkFile(check, 'cni-conf-file'),
  };
}

function ignoredFlags(given: GivenFlags): string[] {
  const ignored = [...given.values()].filter(({ flag }) => flag.support === 'without-effect');
  return ignored.map(({ key }) => `${key}: not used by this version`);
}

/** Kubernetes' limit for the name of a node (a DNS subdomain, RFC 1123). */
/** NODE_NAME as it is, else the host name as the kubelet makes it a node's: trimmed and in lower case. */
export function checkNodeName(
  check: Check,
  { env, hostName }: Pick<SettingsInput, 'env' | 'hostName'>,
): string {
  const { NODE_NAME: told = '' } = env;
  const [key, name] = told === '' ? ['host name', hostName.trim().toLowerCase()] : ['NODE_NAME', told];
  const expected = `a node name of 1 to ${NODE_NAME_LENGTH_MAX} letters, digits and signs without spaces`;
  if (name === '') check.errors.push(missing(key, `${expected} (or set NODE_NAME)`));
  else if (!isNodeName(name)) check.errors.push(invalid({ key, value: name }, expected));
  return name;
}
