/**
 * Chains of other programs that decide whether packets are passed on, as far as pods are concerned.
 *
 * @module
 */
import { type Family, familyOf, type Prefix } from './ip.ts';

/** The families of nf_tables that have a say in it, as nft calls them. */
export type ChainFamily = 'ip' | 'ip6' | 'inet';

/** Where a chain is. */
export interface ChainPlace {
  readonly family: ChainFamily;
  readonly table: string;
  readonly name: string;
}

/** A rule of ours in it. */
export interface OwnRule {
  /** By which the kernel knows it. */
  readonly handle: number;
  /** As nft prints it; one that is spoiled is nothing that we want. */
  readonly text: string;
}

/** A chain that the kernel calls for packets that are passed on. */
export interface ForwardChain extends ChainPlace {
  /** Whether its table is its maker's alone: nobody else may change it. */
  readonly isOwned: boolean;
  /** What drops or rejects packets that no rule has accepted; `undefined` if nothing does. */
  readonly drops: 'policy' | 'rule' | undefined;
  /** The pod networks that none of its rules accepts, ours not counted, as far as can be told. */
  readonly shut: readonly Prefix[];
  /** Those that stand before what drops the rest. */
  readonly ours: readonly OwnRule[];
  /** Those that stand behind it. */
  readonly tooLate: readonly OwnRule[];
}

/** The comment by which our rules in chains of others are known again. */
export const OUR_COMMENT = 'flannelette';

/** The chain as nft addresses it. */
export function chainAddress({ family, table, name }: ChainPlace): string {
  return `${family} ${table} ${name}`;
}

/** The families whose packets a chain sees. */
export function familiesOf({ family }: Pick<ChainPlace, 'family'>): readonly Family[] {
  if (family === 'inet') return [4, 6];
  return family === 'ip' ? [4] : [6];
}

/** The networks whose packets a chain sees. */
export function networksSeen(chain: Pick<ChainPlace, 'family'>, networks: readonly Prefix[]): Prefix[] {
  return networks.filter((network) => familiesOf(chain).includes(familyOf(network)));
}

/** The rules that accept a network, as nft prints them: what pods send, and what they get. */
export function acceptTexts(network: Prefix): readonly string[] {
  const protocol = familyOf(network) === 4 ? 'ip' : 'ip6';
  return [`${protocol} saddr ${network} accept`, `${protocol} daddr ${network} accept`];
}

/** What has to be different so that a chain accepts the networks by rules of ours if need be, and only then. */
export function passageFault(chain: ForwardChain, networks: readonly Prefix[]): string | undefined {
  if (chain.isOwned) return undefined;
  const wanted = chain.drops === undefined ? [] : networksSeen(chain, networks).flatMap(acceptTexts);
  const have = chain.ours.map(({ text }) => text);
  const address = chainAddress(chain);
  const missing = wanted.find((text) => !have.includes(text));
  if (missing !== undefined) return `${address} had no ${missing}`;
  const isMore = have.length > wanted.length || chain.tooLate.length > 0;
  return isMore ? `${address} had a rule that is not needed` : undefined;
}

/** What a shell can quote and nft takes for a name as it stands. */
const PLAIN_NAME = /^[a-zA-Z][\w.-]*$/;

/**
 * The command by which an operator has a chain accept what it is shut to: iptables' own for its own chain. `undefined` if
 * the names are such that none can be pasted.
 */
export function acceptCommand({ family, table, name, shut }: ForwardChain): string | undefined {
  if (!PLAIN_NAME.test(table) || !PLAIN_NAME.test(name)) return undefined;
  if (family !== 'inet' && table === 'filter' && name === 'FORWARD') {
    const program = family === 'ip' ? 'iptables' : 'ip6tables';
    return shut
      .flatMap((network) => ['s', 'd'].map((end) => `${program} -I FORWARD -${end} ${network} -j ACCEPT`))
      .join(' && ');
  }
  const rules = shut.flatMap(acceptTexts).map((text) => `insert rule ${family} ${table} ${name} ${text}`);
  return `nft '${rules.join('; ')}'`;
}
