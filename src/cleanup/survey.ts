/**
 * Finds what there is on the node besides the kernel's objects, and changes nothing.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { chooseIdentity } from '../agent/identity.ts';
import type { CleanupSettings } from '../config/cleanup-settings.ts';
import { parseNetConf } from '../config/net-conf.ts';
import { readSubnetEnv } from '../config/subnet-env.ts';
import { localnetsIn, PORT_FOLDER } from '../model/host-ports.ts';
import type { Mac, Prefix } from '../model/ip.ts';
import type { Lease } from '../model/lease.ts';
import type { Problem } from '../model/problem.ts';
import type { Result } from '../model/result.ts';
import { waitingPathOf } from '../model/waiting-note.ts';
import type {
  DirectoryFindings,
  Findings,
  LeaseFindings,
  SocketFindings,
  StateFindings,
  SubnetEnvFindings,
} from '../removal/findings.ts';
import type { NodeMarks } from '../store/etcd/release.ts';
import { errnoName } from '../store/sqlite/failure.ts';
import { digestOf, EMPTY_STATE, isStateFileName, type NodeState, readState } from '../store/state-file.ts';
import type { NamedStore, StoreSurvey } from './leases.ts';
import { surveyCni } from './survey-cni.ts';

/** What was read before the survey, because it may end the command. */
export interface Known extends Pick<Findings, 'flanneld'> {
  readonly socket: SocketFindings;
  /** `undefined` if none was named. */
  readonly store: Pick<NamedStore, 'kind' | 'place'> | undefined;
  /** `undefined` if there is nothing to read. */
  readonly leases: Result<StoreSurvey, Problem> | undefined;
}

/** Everything but what the kernel has. */
export function surveyFiles(
  settings: CleanupSettings,
  known: Known,
): Omit<Findings, 'kernel' | 'above' | 'iptables'> {
  const { nodeName, stateDir, subnetFile, socketPath } = settings;
  const { state, findings } = surveyState(stateDir);
  const own = known.leases?.ok === true ? known.leases.value.own?.lease : undefined;
  // A directory of the socket's with another name may be anybody's.
  const directories = new Set([
    ...(basename(dirname(socketPath)) === 'flannelette' ? [dirname(socketPath)] : []),
    stateDir.replace(/(?<=.)\/+$/, ''),
  ]);
  const { subnetEnv, networks } = surveySubnetEnv(subnetFile);
  const cni = surveyCni(settings.cni, stateDir);
  return {
    node: nodeName,
    state: findings,
    subnetEnv,
    networks: [...networks, ...configuredNetworks(settings.netConfigPath)],
    leases: leaseFindings(known),
    socket: known.socket,
    flanneld: known.flanneld,
    cni: cni.found,
    localnets: localnetsIn(namesIn(PORT_FOLDER) ?? []),
    halfWritten: [
      ...[subnetFile, ...cni.conflists].flatMap(halfWritten),
      ...[...cni.temporary, waitingPathOf(subnetFile)].filter((path) => existsSync(path)),
    ],
    // What is in another goes first.
    directories: [...directories].sort((a, b) => b.length - a.length).flatMap(surveyDirectory),
    macs: addressesOf(nodeName, state, own),
  };
}

/** What a lease of this node can be told by where leases have no names. */
export function nodeMarks(
  { nodeName, stateDir, subnetFile }: CleanupSettings,
  addresses: NodeMarks['addresses'],
): NodeMarks {
  const { state } = surveyState(stateDir);
  const { subnetEnv } = surveySubnetEnv(subnetFile);
  const isOurs = subnetEnv.kind === 'read' && subnetEnv.digest === state.subnetEnvDigest;
  const macs = addressesOf(nodeName, state, undefined);
  return { macs, subnets: isOurs ? subnetEnv.subnets : [], addresses };
}

function leaseFindings({ store, leases: survey }: Known): LeaseFindings {
  if (store === undefined) return { kind: 'unnamed' };
  const { kind, place: path } = store;
  if (survey === undefined) return { kind: 'none', path };
  if (!survey.ok) return { kind: 'unreadable', path, message: survey.error.message };
  const { own, peers, others } = survey.value;
  const isReserved = own?.reserved === true;
  return { kind: 'read', path, isShared: kind !== 'file', isReserved, own: own?.subnets, peers, others };
}

function surveyState(directory: string): { state: NodeState; findings: StateFindings } {
  const reading = readState(directory);
  const state = reading.kind === 'state' ? reading.state : EMPTY_STATE;
  const ours = (namesIn(directory) ?? []).filter(isStateFileName);
  const file = reading.kind === 'state' ? 'read' : reading.kind;
  const reason = reading.kind === 'unreadable' ? reading.reason : undefined;
  return {
    state,
    findings: { directory, file, reason, links: state.links, subnetEnvDigest: state.subnetEnvDigest, ours },
  };
}

interface SubnetEnvSurvey {
  readonly subnetEnv: SubnetEnvFindings;
  readonly networks: readonly Prefix[];
}

function surveySubnetEnv(path: string): SubnetEnvSurvey {
  try {
    const text = readFileSync(path, 'utf8');
    const { ipv4, ipv6 } = readSubnetEnv(text);
    const subnets = [ipv4.subnet, ipv6.subnet].filter((subnet) => subnet !== undefined);
    const networks = [...ipv4.networks, ...ipv6.networks];
    return { subnetEnv: { kind: 'read', path, subnets, digest: digestOf(text) }, networks };
  } catch (error) {
    if (isMissing(error)) return { subnetEnv: { kind: 'none', path }, networks: [] };
    const reason = error instanceof Error ? error.message : String(error);
    return { subnetEnv: { kind: 'unreadable', path, reason }, networks: [] };
  }
}

/** Nothing depends on the configuration: without it some routes are not mentioned. */
function configuredNetworks(path: string): Prefix[] {
  try {
    const parsed = parseNetConf(readFileSync(path, 'utf8'));
    if (!parsed.ok) return [];
    const { ipv4, ipv6 } = parsed.value.config;
    return [ipv4, ipv6].flatMap((family) => family?.network ?? []);
  } catch {
    return [];
  }
}

/** What a process of ours that was ended while it wrote has left beside the file. */
function halfWritten(path: string): string[] {
  const isOurs = new RegExp(`^${RegExp.escape(basename(path))}\\.\\d+\\.tmp$`);
  return (namesIn(dirname(path)) ?? [])
    .filter((name) => isOurs.test(name))
    .map((name) => `${dirname(path)}/${name}`);
}

function surveyDirectory(path: string): DirectoryFindings[] {
  const entries = namesIn(path);
  return entries === undefined ? [] : [{ path, entries: entries.sort() }];
}

/**
 * The devices that stand on one, such as a VLAN's (`/sys/class/net`). A bridge that it is a port of is above it too,
 * but only loses a port.
 */
export function devicesAbove(name: string): string[] {
  const directory = `/sys/class/net/${name}`;
  const uppers = (namesIn(directory) ?? []).filter((entry) => entry.startsWith('upper_'));
  return uppers.map((entry) => entry.slice('upper_'.length)).filter((upper) => upper !== masterOf(directory));
}

function masterOf(directory: string): string | undefined {
  try {
    return basename(readlinkSync(`${directory}/master`));
  } catch {
    return undefined;
  }
}

/** The names in a directory; `undefined` if there is none, or none that can be read. */
function namesIn(directory: string): string[] | undefined {
  try {
    return readdirSync(directory);
  } catch {
    return undefined;
  }
}

function isMissing(error: unknown): boolean {
  return errnoName(error) === 'ENOENT' || errnoName(error) === 'ENOTDIR';
}

/** The addresses that the agent chooses from, each source by itself. */
function addressesOf(nodeName: string, remembered: NodeState, published: Lease | undefined): Set<Mac> {
  const machineId = readMachineId();
  const nothing = { macIpv4: undefined, macIpv6: undefined };
  const identities = [
    chooseIdentity({ published, remembered: nothing, nodeName, machineId }),
    chooseIdentity({ published: undefined, remembered, nodeName, machineId }),
    chooseIdentity({ published: undefined, remembered: nothing, nodeName, machineId }),
  ];
  return new Set(identities.flatMap(({ macIpv4, macIpv6 }) => [macIpv4, macIpv6]));
}

function readMachineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return '';
  }
}
