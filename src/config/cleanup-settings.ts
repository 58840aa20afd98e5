/**
 * What `flannelette cleanup` is told: the agent's flags and environment, of which it needs those that say where
 * things are, and switches of its own.
 *
 * @module
 */
import { fail, ok, type Result } from '../model/result.ts';
import type { EtcdStoreSettings, KubeStoreSettings, Settings } from '../model/settings.ts';
import { parseArguments } from './arguments.ts';
import { type Check, checkFile, checkPath, checkSocket } from './checks.ts';
import { addEnvironment } from './environment.ts';
import type { ConfigError } from './error.ts';
import { boolOf, type GivenFlags, textOf, withoutSecret } from './flag-values.ts';
import type { Flag } from './flags.ts';
import { pathConflict } from './paths.ts';
import { checkCni, checkNodeName, pathsOf, type SettingsInput } from './settings.ts';
import { givenEtcd, givenKube } from './store.ts';

/** Where the agent of this node keeps things, and what is to be done about them. */
export interface CleanupSettings
  extends Pick<Settings, 'nodeName' | 'netConfigPath' | 'subnetFile' | 'stateDir' | 'socketPath' | 'cni'> {
  /** `undefined` if none was named: then no lease is looked for. */
  readonly leaseDb: string | undefined;
  /** `undefined` if no flag of etcd's was given. */
  readonly etcd: EtcdStoreSettings | undefined;
  /** `undefined` unless leases are in Kubernetes. */
  readonly kube: KubeStoreSettings | undefined;
  /** Only say what would be removed. */
  readonly dryRun: boolean;
  /** Take what flanneld of this node has left too. */
  readonly adopt: boolean;
  /** Whether the agent has kept its traffic rules in iptables, in chains of flannel's names. */
  readonly iptables: boolean;
  /** For programs. */
  readonly json: boolean;
}

/** What the command line of `cleanup` asks for. */
export type ParsedCleanup =
  | { readonly kind: 'help' }
  | { readonly kind: 'settings'; readonly settings: CleanupSettings };

/** The switches that only `cleanup` has, in the order of its help. */
const SWITCHES = {
  'dry-run': 'print what would be removed, as commands, and change nothing',
  adopt: 'also take what flanneld has left: VXLAN devices, routes to leased subnets, iptables',
  json: 'print one JSON object',
} as const;

/** The names and the help of the switches that only `cleanup` has. */
export const CLEANUP_FLAGS: readonly Flag[] = Object.entries(SWITCHES).map(([name, help]) => ({
  name,
  help,
  spec: { type: 'bool', fallback: false },
  valueName: '',
  section: 'Cleanup',
  support: 'acted-on',
}));

/**
 * Reads the arguments after `cleanup` and the environment; the first mistake is the answer. All flags of `run` are
 * taken, so that those of a unit file can be given as they are; those that say nothing about places are passed over.
 */
export function parseCleanupSettings(input: SettingsInput): Result<ParsedCleanup, ConfigError> {
  const parsed = readCleanupSettings(input);
  return parsed.ok ? parsed : fail(withoutSecret(parsed.error));
}

function readCleanupSettings(input: SettingsInput): Result<ParsedCleanup, ConfigError> {
  const parsed = parseArguments(input.argv, CLEANUP_FLAGS);
  if (!parsed.ok) return parsed;
  if (parsed.value.kind === 'help') return ok({ kind: 'help' });
  const given = addEnvironment(parsed.value.given, input.env);
  if (!given.ok) return given;
  const check: Check = { given: given.value, cwd: input.cwd, errors: [], notes: [] };
  const settings: CleanupSettings = {
    nodeName: checkNodeName(check, input),
    netConfigPath: checkFile(check, 'net-config-path'),
    subnetFile: checkFile(check, 'subnet-file'),
    stateDir: checkPath(check, 'state-dir'),
    socketPath: checkSocket(check),
    cni: checkCni(check),
    leaseDb: textOf(given.value, 'lease-db') === '' ? undefined : checkFile(check, 'lease-db'),
    etcd: givenEtcd(check),
    kube: givenKube(check, input.env),
    dryRun: isOn(given.value, 'dry-run'),
    adopt: isOn(given.value, 'adopt'),
    iptables: boolOf(given.value, 'iptables'),
    json: isOn(given.value, 'json'),
  };
  const [error = pathConflict(given.value, pathsOf(settings))] = check.errors;
  return error === undefined ? ok({ kind: 'settings', settings }) : fail(error);
}

function isOn(given: GivenFlags, name: keyof typeof SWITCHES): boolean {
  return given.get(name)?.value === true;
}
