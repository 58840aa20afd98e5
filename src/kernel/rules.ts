/**
 * Traffic rules as the engine sees them: looked at and changed.
 *
 * @module
 */
import type { PassageObject } from '../model/objects.ts';
import { isDispensable, type TableObject, tableAddress } from '../model/traffic-rules.ts';
import { ERRNO, netlinkError } from '../netlink/error.ts';
import type { Session } from '../netlink/session.ts';
import type { Change, Failure, Look, LookVisitor } from '../reconcile/target.ts';
import { ADVICE } from './advice.ts';
import { changeFailure, lookFailure } from './failure.ts';
import { mayHaveNfTables } from './nf-tables-module.ts';
import { Passage, passageOf } from './passage.ts';
import { readTables, removeTable, tableOwner, writeTable } from './tables.ts';

const NO_NETFILTER = netlinkError(ERRNO.EPROTONOSUPPORT, { text: 'the kernel has no nf_tables' });

/** What the rules are reached through. */
export interface RuleTablesOptions {
  /** Over a NETLINK_NETFILTER socket; `undefined` where the kernel has none. */
  readonly session: () => Session | undefined;
  /** Called when rules are wanted, before they are looked at. */
  readonly onWanted?: (() => void) | undefined;
  /** Chains of other programs. */
  readonly passage?: Passage | undefined;
}

/** The tables of traffic rules. Nodes that want none are not made to load nf_tables. */
export class RuleTables {
  readonly #session: () => Session | undefined;
  readonly #onWanted: () => void;
  readonly #passage: Passage;
  /** Whether none is wanted and none was found: then nothing is to be looked for. */
  #isDone = false;

  constructor({
    session,
    onWanted = () => undefined,
    passage = new Passage({ session, isHeard: () => false, monotonicMs: () => 0 }),
  }: RuleTablesOptions) {
    this.#session = session;
    this.#onWanted = onWanted;
    this.#passage = passage;
  }

  /**
   * Shows the tables that have our names. Where none is wanted they are looked for until there are none, and it is no
   * failure that they cannot be read: that needs CAP_NET_ADMIN.
   */
  observe({ probe }: Look, visit: LookVisitor): Failure | undefined {
    if (probe.length === 0) {
      if (!this.#isDone && mayHaveNfTables()) this.#isDone = !this.#visitLeftovers(visit);
      return undefined;
    }
    this.#isDone = false;
    this.#onWanted();
    const session = this.#session();
    if (session === undefined) return undefined;
    const tables = readTables(session);
    if ('errno' in tables) {
      const harmless = probe.every((object) => object.kind === 'table' && isDispensable(object));
      return { ...lookFailure('traffic rules', tables), harmless };
    }
    for (const object of tables) visit({ object, owner: tableOwner(object) });
    return undefined;
  }

  /** Where no passage is wanted the chains are looked at all the same, for the status, and for rules of ours in them. */
  observeChains({ claims, probe }: Look, visit: LookVisitor): Failure | undefined {
    const wanted = probe.find((object) => object.kind === 'passage');
    if (wanted !== undefined) this.#onWanted();
    else if (!mayHaveNfTables()) return undefined;
    const networks = wanted?.networks ?? claims.networks;
    const chains = this.#passage.look(networks);
    if ('errno' in chains) return wanted && lookFailure('chains of other programs', chains);
    const object = passageOf(chains, networks);
    if (wanted !== undefined || object.rules.length > 0) visit({ object, owner: 'ours' });
    return undefined;
  }

  /** Makes or removes a table, or what is ours in those of others. */
  change({ verb }: Change, object: TableObject | PassageObject): Failure | undefined {
    const session = this.#session();
    const isRemoval = verb === 'remove';
    if (session === undefined)
      return isRemoval ? undefined : advised(changeFailure(verb, object, NO_NETFILTER), object);
    if (object.kind === 'passage') {
      const error = this.#passage.set(isRemoval ? [] : object.networks);
      return error && changeFailure(verb, object, error);
    }
    const error = isRemoval ? removeTable(session, object) : writeTable(session, object);
    return error && advised(changeFailure(verb, object, error), object);
  }

  /** Whether there are any of ours. */
  #visitLeftovers(visit: LookVisitor): boolean {
    const session = this.#session();
    const tables = session === undefined ? [] : readTables(session);
    if ('errno' in tables) return false;
    const observed = tables.map((object) => ({ object, owner: tableOwner(object) }));
    observed.forEach(visit);
    return observed.some(({ owner }) => owner === 'ours');
  }
}

function advised(failure: Failure, table: TableObject | PassageObject): Failure {
  if (failure.kind === 'unsupported') return { ...failure, remedy: ADVICE.rules };
  if (failure.kind !== 'conflict' || table.kind !== 'table') return failure;
  return { ...failure, remedy: ADVICE.table.replace('NAME', tableAddress(table)) };
}
