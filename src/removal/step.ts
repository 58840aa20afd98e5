/**
 * One thing that is to be removed, and the command with which an operator would do it.
 *
 * @module
 */
import { type FlanneldRules, removalCommand } from '../model/flanneld-rules.ts';
import type { Prefix } from '../model/ip.ts';
import type { FdbObject, LinkObject, NeighbourObject, PassageObject, RouteObject } from '../model/objects.ts';
import { type TableObject, tableAddress } from '../model/traffic-rules.ts';
import { quoteForShell } from './shell.ts';

/** What flannelette puts into the kernel and an operator can take out by name. */
export type RemovableObject =
  | RouteObject
  | NeighbourObject
  | FdbObject
  | LinkObject
  | TableObject
  | PassageObject;

/** An object of the kernel. */
export interface ObjectStep {
  readonly kind: 'object';
  readonly object: RemovableObject;
}

/** What flanneld has left in iptables. */
export interface IptablesStep {
  readonly kind: 'iptables';
  readonly rules: FlanneldRules;
}

/** A file: of the data plane (`network`), or what the node remembers of itself (`state`). */
export interface FileStep {
  readonly kind: 'file';
  readonly path: string;
  readonly part: 'network' | 'state';
}

/** The node's row in the lease database. */
export interface LeaseStep {
  readonly kind: 'lease';
  readonly database: string;
  readonly node: string;
  readonly subnets: readonly Prefix[];
}

/** A directory that has nothing in it when its turn comes. */
export interface DirectoryStep {
  readonly kind: 'directory';
  readonly path: string;
}

/** A setting of the kernel that was made for what is about to go, and must not outlive it. */
export interface SettingStep {
  readonly kind: 'setting';
  /** Below /proc/sys. */
  readonly name: string;
  readonly value: string;
}

/** What was there before, which comes back in place of ours. */
export interface RestoreStep {
  readonly kind: 'restore';
  readonly path: string;
  readonly aside: string;
}

/** See the module. */
export type Step =
  | SettingStep
  | ObjectStep
  | IptablesStep
  | FileStep
  | RestoreStep
  | LeaseStep
  | DirectoryStep;

/**
 * The step as a line for a shell: that of iproute2 or coreutils. No tool but this program gives a lease back, so
 * that line is a comment.
 */
export function commandOf(step: Step): string {
  switch (step.kind) {
    case 'setting':
      // With slashes: a device's name may have dots.
      return `sysctl -w ${step.name}=${step.value}`;
    case 'object':
      return objectCommand(step.object);
    case 'iptables':
      return removalCommand(step.rules);
    case 'file':
      return `rm ${quoteForShell(step.path)}`;
    case 'restore':
      return `mv ${quoteForShell(step.aside)} ${quoteForShell(step.path)}`;
    case 'directory':
      return `rmdir ${quoteForShell(step.path)}`;
    case 'lease':
      return `# ${leaseText(step)}`;
  }
}

/** The step in words where nothing is to be pasted. */
export function titleOf(step: Step): string {
  return step.kind === 'lease' ? leaseText(step) : commandOf(step);
}

function leaseText({ database, node, subnets }: LeaseStep): string {
  const what = subnets.length === 0 ? 'the lease' : `the lease ${subnets.join(', ')}`;
  return `${what} of node ${node} in ${quoteForShell(database)}`;
}

function objectCommand(object: RemovableObject): string {
  switch (object.kind) {
    case 'route':
      return routeCommand(object);
    case 'neighbour':
      return `ip neigh del ${object.ip} dev ${object.link}`;
    case 'fdb':
      return `bridge fdb del ${object.mac} dev ${object.link} dst ${object.dst} self`;
    case 'link':
      return `ip link del ${object.name}`;
    case 'table':
      return `nft delete table ${tableAddress(object)}`;
    case 'passage':
      return `nft ${quoteForShell(object.rules.map((rule) => `delete rule ${rule}`).join('; '))}`;
  }
}

/** `/etc/iproute2/rt_protos`: the names that every iproute2 knows. */
const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 3: 'boot', 4: 'static' };

function routeCommand({ dst, gateway, link, protocol, metric, blackhole }: RouteObject): string {
  const words = ['ip route del', ...(blackhole ? ['blackhole'] : []), dst];
  if (gateway !== undefined) words.push(`via ${gateway}`);
  if (link !== '') words.push(`dev ${link}`);
  words.push(`proto ${PROTOCOL_NAMES[protocol] ?? protocol}`);
  if (metric !== undefined) words.push(`metric ${metric}`);
  return words.join(' ');
}

/** What became of a step. */
export interface Outcome {
  readonly step: Step;
  /** Why it is not done; `undefined` if it is. */
  readonly error: string | undefined;
}
