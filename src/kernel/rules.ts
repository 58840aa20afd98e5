/**
 * Traffic rules as the engine sees them: looked at, changed, and heard of.
 *
 * @module
 */
import { FAMILIES, type Family } from '../model/ip.ts';
import { type TableObject, tableAddress, tableName } from '../model/traffic-rules.ts';
import { ERRNO, netlinkError } from '../netlink/error.ts';
import { eachMessage } from '../netlink/frame.ts';
import { NFPROTO, NFT_MSG, nfgenmsg, ruleMessage, tableMessage } from '../netlink/nftables.ts';
import type { Session } from '../netlink/session.ts';
import { DecodeError } from '../netlink/wire.ts';
import type { Change, Failure, Look, LookVisitor } from '../reconcile/target.ts';
import { ADVICE } from './advice.ts';
import type { EventSink } from './events.ts';
import { changeFailure, lookFailure } from './failure.ts';
import { readTables, removeTable, tableOwner, writeTable } from './tables.ts';

const NO_NETFILTER = netlinkError(ERRNO.EPROTONOSUPPORT, { text: 'the kernel has no nf_tables' });

/**
 * Shows the tables that have our names. Where none is wanted, it is no failure that they cannot be read: that needs
 * CAP_NET_ADMIN.
 */
export function observeTables(
  session: Session | undefined,
  { probe }: Look,
  visit: LookVisitor,
): Failure | undefined {
  if (session === undefined) return undefined;
  const tables = readTables(session);
  if ('errno' in tables) return probe.length === 0 ? undefined : lookFailure('traffic rules', tables);
  for (const object of tables) visit({ object, owner: tableOwner(object) });
  return undefined;
}

/** Makes or removes a table. */
export function changeTable(
  session: Session | undefined,
  { verb }: Change,
  table: TableObject,
): Failure | undefined {
  if (session === undefined) {
    return verb === 'remove' ? undefined : advised(changeFailure(verb, table, NO_NETFILTER), table);
  }
  const error = verb === 'remove' ? removeTable(session, table) : writeTable(session, table);
  return error === undefined ? undefined : advised(changeFailure(verb, table, error), table);
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
      if (portId === ownPortId || type < NFT_MSG.NEWTABLE || type > NFT_MSG.DELRULE) return;
      const isTable = type === NFT_MSG.NEWTABLE || type === NFT_MSG.DELTABLE;
      const { family: number } = nfgenmsg.read(payload);
      payload.at -= nfgenmsg.sizeBytes;
      const family = FAMILIES.find((each) => protocolOf(each) === number);
      if (family === undefined) return;
      // Chains and rules both begin with the name of their table, under the same number.
      const name = isTable ? tableMessage.read(payload).attrs.name : ruleMessage.read(payload).attrs.table;
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
