/**
 * Traffic rules as the engine sees them: looked at, changed, and heard of.
 *
 * @module
 */
import { PORT_TABLE } from '../model/host-ports.ts';
import { FAMILIES, type Family } from '../model/ip.ts';
import { isDispensable, type TableObject, tableAddress, tableName } from '../model/traffic-rules.ts';
import { ERRNO, netlinkError } from '../netlink/error.ts';
import { eachMessage } from '../netlink/frame.ts';
import { memberMessage, NFPROTO, NFT_MSG, nfgenmsg } from '../netlink/nftables.ts';
import type { Session } from '../netlink/session.ts';
import { DecodeError } from '../netlink/wire.ts';
import type { Change, Failure, Look, LookVisitor } from '../reconcile/target.ts';
import { ADVICE } from './advice.ts';
import type { EventSink } from './events.ts';
import { changeFailure, lookFailure } from './failure.ts';
import { mayHaveNfTables } from './nf-tables-module.ts';
import { readTables, removeTable, tableOwner, writeTable } from './tables.ts';

const NO_NETFILTER = netlinkError(ERRNO.EPROTONOSUPPORT, { text: 'the kernel has no nf_tables' });

/** What the rules are reached through. */
export interface RuleTablesOptions {
  /** Over a NETLINK_NETFILTER socket; `undefined` where the kernel has none. */
  readonly session: () => Session | undefined;
  /** Called when rules are wanted, before they are looked at. */
  readonly onWanted?: (() => void) | undefined;
}

/** The tables of traffic rules. Nodes that want none are not made to load nf_tables. */
export class RuleTables {
  readonly #session: () => Session | undefined;
  readonly #onWanted: () => void;
  /** Whether none is wanted and none was found: then nothing is to be looked for. */
  #isDone = false;

  constructor({ session, onWanted = () => undefined }: RuleTablesOptions) {
    this.#session = session;
    this.#onWanted = onWanted;
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

  /** Makes or removes a table. */
  change({ verb }: Change, table: TableObject): Failure | undefined {
    const session = this.#session();
    if (session === undefined)
      return verb === 'remove' ? undefined : advised(changeFailure(verb, table, NO_NETFILTER), table);
    const error = verb === 'remove' ? removeTable(session, table) : writeTable(session, table);
    return error === undefined ? undefined : advised(changeFailure(verb, table, error), table);
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

function advised(failure: Failure, table: TableObject): Failure {
  if (failure.kind === 'unsupported') return { ...failure, remedy: ADVICE.rules };
  if (failure.kind !== 'conflict') return failure;
  return { ...failure, remedy: ADVICE.table.replace('NAME', tableAddress(table)) };
}

/**
 * Reads a datagram of nf_tables events. Those of our tables are told as such, with nothing in them: what is there now is
 * for the look to find out.
 */
export function readRuleEvents(datagram: Uint8Array, ownPortId: number, sink: EventSink): void {
  try {
    eachMessage(datagram, datagram.length, ({ type, portId }, payload) => {
      if (portId === ownPortId || type < NFT_MSG.NEWTABLE || type > NFT_MSG.DELSETELEM) return;
      const { family: number } = nfgenmsg.read(payload);
      payload.at -= nfgenmsg.sizeBytes;
      const family = FAMILIES.find((each) => protocolOf(each) === number);
      if (family === undefined) return;
      const { table: name } = memberMessage.read(payload).attrs;
      if (name === PORT_TABLE) sink.hostPorts?.();
      if (name !== tableName(family)) return;
      const object: TableObject = {
        kind: 'table',
        family,
        name,
        comment: undefined,
        dormant: false,
        chains: [],
      };
      sink.moved({ object, owner: 'ours', portId }, type === NFT_MSG.DELTABLE);
    });
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    sink.look(`unreadable event: ${error.message}`);
  }
}

function protocolOf(family: Family): number {
  return family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6;
}
