/**
 * Reads the chains of other programs that the kernel calls for packets that are passed on. All chains are listed, but
 * only the rules of these are read, and of those that they lead every packet to.
 *
 * @module
 */
import {
  type ChainFamily,
  type ChainPlace,
  chainAddress,
  type ForwardChain,
  familiesOf,
  networksSeen,
  type OwnRule,
} from '../model/forward-chains.ts';
import { FAMILIES, type Family, familyOf, type Prefix, prefixCovers } from '../model/ip.ts';
import { tableName } from '../model/traffic-rules.ts';
import type { NetlinkError } from '../netlink/error.ts';
import {
  chainMessage,
  NF_INET,
  NFPROTO,
  NFT_MSG,
  NFT_TABLE_F,
  nfgenmsg,
  ruleMessage,
  tableMessage,
} from '../netlink/nftables.ts';
import { NFT_VERDICT } from '../netlink/nftables-expressions.ts';
import type { Session } from '../netlink/session.ts';
import { isOwn, ownText, type Step, stepOf } from './chain-rules.ts';
import type { Expression } from './rule-expressions.ts';

/** A chain may lead to chains that lead to others; what is further away is not followed. */
const DEPTH_MAX = 3;
/** So many chains are followed from one; more are not looked into. */
const CHAINS_MAX = 16;

const PROTOCOLS: Readonly<Record<ChainFamily, number>> = {
  ip: NFPROTO.IPV4,
  ip6: NFPROTO.IPV6,
  inet: NFPROTO.INET,
};

/** nft's name of a family that has a say in forwarding. */
export function chainFamily(protocol: number): ChainFamily | undefined {
  const names: readonly ChainFamily[] = ['ip', 'ip6', 'inet'];
  return names.find((name) => PROTOCOLS[name] === protocol);
}

/** The header of messages about a family. */
export function chainHeader(family: ChainFamily) {
  return nfgenmsg.of({ family: PROTOCOLS[family] });
}

/** Whether a table has our rules as a whole. */
export function isOwnTable({ family, table }: Pick<ChainPlace, 'family' | 'table'>): boolean {
  return FAMILIES.some((each) => (each === 4 ? 'ip' : 'ip6') === family && tableName(each) === table);
}

/** What was read. */
export interface ForwardReading {
  readonly chains: readonly ForwardChain[];
  /** Those that the kernel calls at the forward hook, dormant ones among them. */
  readonly bases: readonly BaseChain[];
  /** The addresses of all chains whose rules were read. */
  readonly seen: ReadonlySet<string>;
  /** The tables that have chains at the forward hook, those without effect among them: `ip filter`. */
  readonly tables: ReadonlySet<string>;
}

/** The table as nft addresses it. */
export function tablePlace({ family, table }: Pick<ChainPlace, 'family' | 'table'>): string {
  return `${family} ${table}`;
}

/** See the module. What is in `known` is not listed anew. */
export function readForwardChains(
  session: Session,
  networks: readonly Prefix[],
  known?: readonly BaseChain[],
): ForwardReading | NetlinkError {
  const bases = known ?? listForwardChains(session);
  if ('errno' in bases) return bases;
  const reader = new ChainReader(session);
  const chains = bases.flatMap((base) => {
    const flags = tableFlags(session, base);
    if ((flags & NFT_TABLE_F.DORMANT) !== 0) return [];
    return [judge({ ...base, isOwned: (flags & NFT_TABLE_F.OWNER) !== 0 }, networks, reader)];
  });
  return reader.error ?? { chains, bases, seen: reader.seen, tables: new Set(bases.map(tablePlace)) };
}

/** A chain that a hook calls. */
export interface BaseChain extends ChainPlace {
  /** Whether its policy is drop. */
  readonly isShut: boolean;
}

/** NFT_TABLE_F_*; none of a table that has gone. */
function tableFlags(session: Session, { family, table }: ChainPlace): number {
  let found = 0;
  const value = { header: chainHeader(family), attrs: { name: table } };
  session.ask({ type: NFT_MSG.GETTABLE, flags: 0, codec: tableMessage, value }, tableMessage, ({ attrs }) => {
    found = attrs.flags ?? 0;
  });
  return found;
}

function listForwardChains(session: Session): readonly BaseChain[] | NetlinkError {
  const found: BaseChain[] = [];
  const header = nfgenmsg.of({ family: NFPROTO.UNSPEC });
  const error = session.dump(
    { type: NFT_MSG.GETCHAIN, flags: 0, codec: chainMessage, value: { header, attrs: {} } },
    chainMessage,
    {
      visit: ({ header: { family: protocol }, attrs: { table = '', name = '', hook, type, policy } }) => {
        if (hook === undefined || hook.number !== NF_INET.FORWARD || type !== 'filter') return;
        const family = chainFamily(protocol);
        if (family === undefined || isOwnTable({ family, table })) return;
        found.push({ family, table, name, isShut: policy === NFT_VERDICT.DROP });
      },
      restart: () => found.splice(0),
    },
  );
  return error ?? found;
}

/** A rule as far as it matters here. */
interface ChainRule {
  readonly handle: number;
  readonly isOurs: boolean;
  readonly expressions: readonly Expression[];
}

/** Reads each chain once. */
class ChainReader {
  readonly seen = new Set<string>();
  error: NetlinkError | undefined;
  readonly #session: Session;
  readonly #rules = new Map<string, readonly ChainRule[]>();

  constructor(session: Session) {
    this.#session = session;
  }

  rulesOf(chain: ChainPlace): readonly ChainRule[] {
    const address = chainAddress(chain);
    const known = this.#rules.get(address);
    if (known !== undefined) return known;
    const rules: ChainRule[] = [];
    const { family, table, name } = chain;
    this.error ??= this.#session.dump(
      {
        type: NFT_MSG.GETRULE,
        flags: 0,
        codec: ruleMessage,
        value: { header: chainHeader(family), attrs: { table, chain: name } },
      },
      ruleMessage,
      {
        visit: ({ attrs: { table: ofTable, chain: ofChain, handle = 0, expressions = [], userData } }) => {
          // Older kernels do not know these filters of a dump.
          if (ofTable !== table || ofChain !== name) return;
          rules.push({ handle, isOurs: isOwn(expressions, userData), expressions });
        },
        restart: () => rules.splice(0),
      },
    );
    this.seen.add(address);
    this.#rules.set(address, rules);
    return rules;
  }
}

function judge(
  base: BaseChain & Pick<ForwardChain, 'isOwned'>,
  networks: readonly Prefix[],
  reader: ChainReader,
): ForwardChain {
  const { family, table, name, isShut, isOwned } = base;
  const rules = reader.rulesOf(base);
  const families = familiesOf(base);
  const ways = networksSeen(base, networks).map((network) => {
    const way: Way = {
      chain: base,
      network,
      source: false,
      destination: false,
      end: undefined,
      budget: CHAINS_MAX,
    };
    follow(rules, way, { reader, depth: 0 });
    return way;
  });
  const end = ways.find((way) => way.end !== undefined)?.end;
  const isDropping = isShut || end !== undefined;
  const ours = rules.flatMap(({ handle, isOurs, expressions }, at) =>
    isOurs ? [{ at, handle, text: ownText(expressions, families) }] : [],
  );
  const isTooLate = ({ at }: { readonly at: number }) => end !== undefined && at > end;
  const plain = ({ handle, text }: OwnRule): OwnRule => ({ handle, text });
  const shut = ways
    .filter(({ source, destination }) => !source || !destination)
    .map(({ network }) => network);
  return {
    family,
    table,
    name,
    isOwned,
    drops: isShut ? 'policy' : isDropping ? 'rule' : undefined,
    shut: isDropping ? shut : [],
    ours: ours.filter((each) => !isTooLate(each)).map(plain),
    tooLate: ours.filter(isTooLate).map(plain),
  };
}

/** What happens to the packets of a network on their way through a chain. */
interface Way {
  readonly chain: ChainPlace;
  readonly network: Prefix;
  source: boolean;
  destination: boolean;
  /** The rule of the chain itself at which what is left is dropped. */
  end: number | undefined;
  budget: number;
}

interface Walk {
  readonly reader: ChainReader;
  readonly depth: number;
}

/** What comes of all packets of a family that come to the end of some rules: they go on, or are dropped or accepted. */
type Fate = 'on' | 'drop' | 'accept';

function follow(rules: readonly ChainRule[], way: Way, { reader, depth }: Walk): Fate {
  const family: Family = familyOf(way.network);
  for (const [at, { isOurs, expressions }] of rules.entries()) {
    const step = isOurs ? undefined : stepOf(expressions, family);
    if (step === undefined) continue;
    if (step.kind === 'return') return 'on';
    const fate = take(step, way, { reader, depth });
    if (fate === 'drop' && depth === 0) way.end = at;
    if (fate !== 'on' || step.kind === 'goto') return fate;
  }
  return 'on';
}

function take(step: Step, way: Way, { reader, depth }: Walk): Fate {
  switch (step.kind) {
    case 'accept': {
      const { source, destination } = step;
      const isInside = (prefix: Prefix | undefined) =>
        prefix === undefined || prefixCovers(prefix, way.network);
      way.source ||= destination === undefined && isInside(source);
      way.destination ||= source === undefined && isInside(destination);
      return source === undefined && destination === undefined ? 'accept' : 'on';
    }
    case 'jump':
    case 'goto': {
      if (depth >= DEPTH_MAX || way.budget-- <= 0) return 'on';
      const chain = { ...way.chain, name: step.chain };
      return follow(reader.rulesOf(chain), way, { reader, depth: depth + 1 });
    }
    default:
      return step.kind === 'drop' ? 'drop' : 'on';
  }
}
