/**
 * Traffic rules: a table of nf_tables with its chains and rules, in nft's words.
 *
 * @module
 */
import type { Family, Prefix } from './ip.ts';

/** An address that has to be in the prefix, or, with `not`, outside. */
export interface AddressMatch {
  readonly prefix: Prefix;
  readonly not: boolean;
}

/** What becomes of a packet that matches. */
export type RuleVerdict = 'accept' | 'return' | 'masquerade' | 'masquerade fully-random';

/** A rule such as we make. */
export interface TrafficRule {
  /** Bits that are all set in the packet's mark; the others may be anything. */
  readonly mark?: number;
  readonly source?: AddressMatch;
  readonly destination?: AddressMatch;
  readonly verdict: RuleVerdict;
}

/** A rule such as we make none, in words of its own that differ where the rules do. */
export interface ForeignRule {
  readonly foreign: string;
}

/** A chain that the kernel calls at its hook. */
export interface RuleChain {
  readonly name: string;
  /** `filter` or `nat`; empty for one that no hook calls. */
  readonly type: string;
  /** As nft calls it, such as `postrouting`. */
  readonly hook: string;
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
  readonly comment: string | undefined;
  readonly rules: readonly (TrafficRule | ForeignRule)[];
}

/** A table, whole: it is compared and replaced as one, in one transaction. */
export interface TableObject {
  readonly kind: 'table';
  readonly family: Family;
  readonly name: string;
  readonly comment: string | undefined;
  /** One that is dormant is there without effect. */
  readonly dormant: boolean;
  readonly chains: readonly RuleChain[];
}

/** flannel's name for the table of a family, by which either program takes over from the other. */
export function tableName(family: Family): string {
  return `flannel-ipv${family}`;
}

/**
 * Whether pods do as well without the table: a chain that only accepts lets nothing through that another one drops.
 */
export function isDispensable({ chains }: TableObject): boolean {
  const rules = chains.flatMap((chain) => chain.rules);
  return rules.every((rule) => !('foreign' in rule) && rule.verdict === 'accept');
}

/** The table as nft addresses it: `ip flannel-ipv4`. */
export function tableAddress({ family, name }: Pick<TableObject, 'family' | 'name'>): string {
  return `${family === 4 ? 'ip' : 'ip6'} ${name}`;
}

/** The rule as nft prints it. */
export function ruleText(rule: TrafficRule | ForeignRule, family: Family): string {
  if ('foreign' in rule) return rule.foreign;
  const { mark, source, destination, verdict } = rule;
  const words: string[] = [];
  if (mark !== undefined) {
    const bits = `0x${mark.toString(16).padStart(8, '0')}`;
    words.push(`meta mark & ${bits} == ${bits}`);
  }
  const protocol = family === 4 ? 'ip' : 'ip6';
  if (source !== undefined) words.push(`${protocol} saddr ${matchText(source)}`);
  if (destination !== undefined) words.push(`${protocol} daddr ${matchText(destination)}`);
  return [...words, verdict].join(' ');
}

function matchText({ prefix, not }: AddressMatch): string {
  return not ? `!= ${prefix}` : prefix;
}

/** How a table differs from the one that is wanted, in words; `undefined` if it does not. */
export function tableDifference(wanted: TableObject, found: TableObject): string | undefined {
  if (found.dormant !== wanted.dormant) return found.dormant ? 'it was dormant' : 'it was not dormant';
  if (found.comment !== wanted.comment) return 'its comment was another';
  const known = new Map(found.chains.map((chain) => [chain.name, chain]));
  for (const chain of wanted.chains) {
    const have = known.get(chain.name);
    if (have === undefined) return `chain ${chain.name} was missing`;
    const why = chainDifference(chain, have, wanted.family);
    if (why !== undefined) return `chain ${chain.name}: ${why}`;
    known.delete(chain.name);
  }
  const [extra] = known.keys();
  return extra === undefined ? undefined : `chain ${extra} was added`;
}

function chainDifference(wanted: RuleChain, found: RuleChain, family: Family): string | undefined {
  for (const field of ['type', 'hook', 'priority', 'policy', 'comment'] as const)
    if (wanted[field] !== found[field])
      return `${field} was ${found[field] ?? 'none'}, not ${wanted[field] ?? 'none'}`;
  const texts = found.rules.map((rule) => ruleText(rule, family));
  const wantedTexts = wanted.rules.map((rule) => ruleText(rule, family));
  const at = wantedTexts.findIndex((text, i) => text !== texts[i]);
  if (at >= 0) return `rule ${at + 1} was ${texts[at] ?? 'missing'}, not ${wantedTexts[at]}`;
  return texts.length > wantedTexts.length ? `rule ${texts[wantedTexts.length]} was added` : undefined;
}
