/**
 * Traffic rules in iptables' words: what `iptables-save` prints and `iptables-restore` takes. Pure.
 *
 * @module
 */
import { FLANNELD_CHAINS, type FlanneldChain } from '../model/flanneld-rules.ts';
import type { AddressMatch, RuleVerdict, TableObject, TrafficRule } from '../model/traffic-rules.ts';

/** One of flannel's chains with its rules, each as `iptables-save` prints it. */
export interface WantedChain {
  readonly chain: FlanneldChain;
  readonly rules: readonly string[];
}

/** The table's chains as flannel has them with iptables. */
export function wantedChains({ chains }: TableObject): readonly WantedChain[] {
  return chains.flatMap(({ type, rules }) => {
    const chain = FLANNELD_CHAINS.find(({ table }) => table === type);
    if (chain === undefined) return [];
    return [{ chain, rules: rules.flatMap((rule) => ('foreign' in rule ? [] : ruleLine(rule, chain))) }];
  });
}

const TARGETS: Readonly<Record<RuleVerdict, string>> = {
  accept: 'ACCEPT',
  return: 'RETURN',
  masquerade: 'MASQUERADE',
  'masquerade fully-random': 'MASQUERADE --random-fully',
};

function ruleLine(
  { mark, source, destination, verdict }: TrafficRule,
  { name, comment }: FlanneldChain,
): string {
  const bits = mark === undefined ? '' : ` -m mark --mark 0x${mark.toString(16)}/0x${mark.toString(16)}`;
  const match = `${addressWords('s', source)}${addressWords('d', destination)}${bits}`;
  return `-A ${name}${match} -m comment --comment "${comment}" -j ${TARGETS[verdict]}`;
}

function addressWords(end: 's' | 'd', match: AddressMatch | undefined): string {
  if (match === undefined) return '';
  return `${match.not ? ' !' : ''} -${end} ${match.prefix}`;
}

/** The rule by which the chain is reached. */
function jumpLine({ name, caller, comment }: FlanneldChain): string {
  return `-A ${caller} -m comment --comment "${comment}" -j ${name}`;
}

/** What is there of a chain. */
export interface FoundChain {
  readonly exists: boolean;
  /** Its rules, in their order. */
  readonly rules: readonly string[];
  /** The rules that lead to it, or have flannel's comment, in the chain of all programs. */
  readonly jumps: readonly string[];
}

/** Finds a chain in what `iptables-save` prints of its table. */
export function foundChain(saved: string, { name, caller, comment }: FlanneldChain): FoundChain {
  const lines = saved.split('\n');
  const isFlannelds = (line: string) =>
    line.endsWith(` -j ${name}`) || line.includes(` --comment "${comment}"`);
  return {
    exists: lines.some((line) => line.startsWith(`:${name} `)),
    rules: lines.filter((line) => line.startsWith(`-A ${name} `)),
    jumps: lines.filter((line) => line.startsWith(`-A ${caller} `) && isFlannelds(line)),
  };
}

/** What is wrong with a chain, in words; `undefined` if nothing is. */
export function chainFault({ chain, rules }: WantedChain, found: FoundChain): string | undefined {
  const { name, caller } = chain;
  if (!found.exists) return `chain ${name} was missing`;
  const at = rules.findIndex((rule, i) => rule !== found.rules[i]);
  if (at >= 0) return `rule ${at + 1} of ${name} was ${found.rules[at] ?? 'missing'}`;
  if (found.rules.length > rules.length) return `${name} had a rule more: ${found.rules[rules.length]}`;
  if (found.jumps.length === 0) return `${caller} did not lead to ${name}`;
  return hasJump(chain, found) ? undefined : `${caller} had more rules of flannel's than one`;
}

function hasJump(chain: FlanneldChain, { jumps }: FoundChain): boolean {
  return jumps.length === 1 && jumps[0] === jumpLine(chain);
}

/** What `iptables-restore --noflush` takes to make a chain, and what leads to it, as they are wanted. */
export function chainScript({ chain, rules }: WantedChain, found: FoundChain): string {
  // That names a chain of one's own makes it, or empties it.
  const lines = [`*${chain.table}`, `:${chain.name} - [0:0]`, ...rules];
  if (!hasJump(chain, found)) lines.push(...found.jumps.map(deletion), jumpLine(chain));
  return [...lines, 'COMMIT', ''].join('\n');
}

/** The same to remove them; `undefined` if there is nothing. */
export function removalScript(chain: FlanneldChain, { exists, jumps }: FoundChain): string | undefined {
  const { table, name } = chain;
  const lines = [...jumps.map(deletion), ...(exists ? [`-F ${name}`, `-X ${name}`] : [])];
  return lines.length === 0 ? undefined : [`*${table}`, ...lines, 'COMMIT', ''].join('\n');
}

function deletion(line: string): string {
  return `-D${line.slice('-A'.length)}`;
}
