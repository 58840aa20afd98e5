/**
 * Chains of other programs that may drop the packets of pods: known for the status, and with `--fix-forward` given an accept
 * that is kept at their beginning. Nothing else of them is touched.
 *
 * @module
 */
import {
  type ChainPlace,
  chainAddress,
  type ForwardChain,
  networksSeen,
  OUR_COMMENT,
  passageFault,
} from '../model/forward-chains.ts';
import type { Prefix } from '../model/ip.ts';
import type { PassageObject } from '../model/objects.ts';
import type { NetlinkError } from '../netlink/error.ts';
import { NFT_MSG, ruleMessage } from '../netlink/nftables.ts';
import { NLM_F, type Request, type Session } from '../netlink/session.ts';
import { acceptRules } from './chain-rules.ts';
import { chainHeader, type ForwardReading, readForwardChains, tablePlace } from './forward-chains.ts';
import { request, userDataOf } from './nft-requests.ts';
import { inTransaction, isAbsent, readGeneration } from './transaction.ts';

/** The chains as they were read last, and what they were read for. */
interface Known extends ForwardReading {
  readonly networks: readonly Prefix[];
  readonly generation: number;
  /** When all chains were listed, by the monotonic clock. */
  readonly listedMs: number;
}

/** What may be another by now: rules in chains that were read, or the chains themselves. */
type Stale = 'rules' | 'chains';

/** A look whose every change since would have been heard of is good for this long: to list thousands of chains takes time. */
const TRUST_MS = 120_000;

/** What the chains are reached through. */
export interface PassageOptions {
  /** Over a NETLINK_NETFILTER socket; `undefined` where the kernel has none. */
  readonly session: () => Session | undefined;
  /** Whether changes are announced to {@link Passage.concerns} at present. */
  readonly isHeard: () => boolean;
  readonly monotonicMs: () => number;
}

/** See the module. */
export class Passage {
  readonly #options: PassageOptions;
  #known: Known | undefined;
  #stale: Stale | undefined = 'chains';

  constructor(options: PassageOptions) {
    this.#options = options;
  }

  /** The chains that may drop packets of the networks; a kernel without nf_tables has none. Reads what has changed. */
  look(networks: readonly Prefix[]): readonly ForwardChain[] | NetlinkError {
    const session = this.#options.session();
    if (session === undefined) return [];
    const generation = readGeneration(session);
    if (typeof generation !== 'number') return isAbsent(generation) ? [] : generation;
    if (this.#known !== undefined && this.#isGood(this.#known, networks, generation))
      return this.#known.chains;
    // kube-proxy writes a chain anew with each of its changes, beside thousands that are none of ours.
    const listed = this.#stale === 'rules' && this.#isTrusted(this.#known) ? this.#known : undefined;
    const reading = readForwardChains(session, networks, listed?.bases);
    if ('errno' in reading) return reading;
    const listedMs = listed?.listedMs ?? this.#options.monotonicMs();
    this.#known = { ...reading, networks, generation, listedMs };
    this.#stale = undefined;
    return reading.chains;
  }

  #isGood(known: Known, networks: readonly Prefix[], generation: number): boolean {
    if (known.networks.join() !== networks.join()) return false;
    return known.generation === generation || (this.#stale === undefined && this.#isTrusted(known));
  }

  #isTrusted(known: Known | undefined): known is Known {
    const { isHeard, monotonicMs } = this.#options;
    return known !== undefined && isHeard() && monotonicMs() < known.listedMs + TRUST_MS;
  }

  /** Reads what has changed since the last look. */
  lookAgain(): void {
    if (this.#known !== undefined) this.look(this.#known.networks);
  }

  /** What was found by the last look. */
  get chains(): readonly ForwardChain[] {
    return this.#known?.chains ?? [];
  }

  /** Tells of a change of a chain, or of a rule in it; whether it may change what was found. */
  concerns(place: ChainPlace, isForward = false): boolean {
    const address = chainAddress(place);
    const isBase = this.#known?.bases.some((base) => chainAddress(base) === address) === true;
    if (isForward || isBase) this.doubt();
    else if (this.#known?.seen.has(address) !== true) return false;
    this.#stale ??= 'rules';
    return true;
  }

  /** The same of a table as a whole. */
  concernsTable(table: Pick<ChainPlace, 'family' | 'table'>): boolean {
    const isNews = this.#known?.tables.has(tablePlace(table)) === true;
    if (isNews) this.doubt();
    return isNews;
  }

  /** Changes may have been missed. */
  doubt(): void {
    this.#stale = 'chains';
  }

  /** Makes it so that chains that drop accept the networks first; without networks, takes out all that is ours. */
  set(networks: readonly Prefix[]): NetlinkError | undefined {
    const session = this.#options.session();
    if (session === undefined) return undefined;
    const lookedFor = this.#known?.networks ?? networks;
    const error = inTransaction(session, () => {
      this.doubt();
      const chains = this.look(networks);
      if ('errno' in chains) return chains;
      const wrong = chains.filter((chain) => passageFault(chain, networks) !== undefined);
      return wrong.flatMap((chain) => requestsFor(chain, networks));
    });
    // Nobody tells us of our own doings.
    this.doubt();
    this.look(lookedFor);
    return error;
  }
}

/** As the engine sees it. */
export function passageOf(chains: readonly ForwardChain[], networks: readonly Prefix[]): PassageObject {
  return {
    kind: 'passage',
    networks,
    faults: chains.flatMap((chain) => passageFault(chain, networks) ?? []),
    rules: chains.flatMap((chain) =>
      [...chain.ours, ...chain.tooLate].map(({ handle }) => `${chainAddress(chain)} handle ${handle}`),
    ),
  };
}

/** Ours are all made anew: there are few. */
function requestsFor(chain: ForwardChain, networks: readonly Prefix[]): readonly Request<unknown>[] {
  const { family, table, name, drops, ours, tooLate } = chain;
  const header = chainHeader(family);
  const place = { table, chain: name };
  const remove = [...ours, ...tooLate].map(({ handle }) =>
    request(NFT_MSG.DELRULE, 0, { codec: ruleMessage, value: { header, attrs: { ...place, handle } } }),
  );
  if (drops === undefined) return remove;
  const rules = networksSeen(chain, networks).flatMap((network) => acceptRules(network, family));
  // Each comes before the last one.
  const insert = rules.toReversed().map((expressions) => {
    const attrs = { ...place, expressions, userData: userDataOf(OUR_COMMENT) };
    return request(NFT_MSG.NEWRULE, NLM_F.CREATE, { codec: ruleMessage, value: { header, attrs } });
  });
  return [...remove, ...insert];
}
