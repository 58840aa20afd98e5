/**
 * What the kernel announces of traffic rules.
 *
 * @module
 */
import { FLANNELD_CHAINS } from '../model/flanneld-rules.ts';
import type { ChainPlace } from '../model/forward-chains.ts';
import { PORT_TABLE } from '../model/host-ports.ts';
import { FAMILIES } from '../model/ip.ts';
import type { PassageObject } from '../model/objects.ts';
import { type TableObject, tableName } from '../model/traffic-rules.ts';
import { eachMessage } from '../netlink/frame.ts';
import {
  chainMessage,
  memberMessage,
  NF_INET,
  NFT_MSG,
  nfgenmsg,
  rulePlaceMessage,
} from '../netlink/nftables.ts';
import { DecodeError, type Reader } from '../netlink/wire.ts';
import type { EventSink } from './events.ts';
import { chainFamily, isOwnTable } from './forward-chains.ts';
import type { Passage } from './passage.ts';

/** Who hears of it. */
export interface RuleEventSink extends Pick<EventSink, 'moved' | 'look' | 'hostPorts' | 'iptables'> {
  /** A chain of another program that has a say in what is passed on may be another than before. */
  readonly passage: () => void;
}

/** What events are read against. */
export interface RuleEventContext {
  /** Of the socket whose requests are our own. */
  readonly ownPortId: number;
  readonly passage: Pick<Passage, 'concerns' | 'concernsTable' | 'doubt'>;
}

/**
 * Reads a datagram. What is ours is told as an object with nothing in it: what is there now is for the look to find out.
 */
export function readRuleEvents(datagram: Uint8Array, context: RuleEventContext, sink: RuleEventSink): void {
  try {
    eachMessage(datagram, datagram.length, ({ type, portId }, payload) => {
      if (portId === context.ownPortId || type < NFT_MSG.NEWTABLE || type > NFT_MSG.DELSETELEM) return;
      readRuleEvent({ type, portId }, payload, { ...context, sink });
    });
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    context.passage.doubt();
    sink.look(`unreadable event: ${error.message}`);
  }
}

interface EventHead {
  readonly type: number;
  readonly portId: number;
}

function readRuleEvent(
  { type, portId }: EventHead,
  payload: Reader,
  { passage, sink }: RuleEventContext & { readonly sink: RuleEventSink },
): void {
  const { at } = payload;
  const family = chainFamily(nfgenmsg.read(payload).family);
  if (family === undefined) return;
  payload.at = at;
  const { table = '' } = memberMessage.read(payload).attrs;
  if (table === PORT_TABLE) sink.hostPorts?.();
  if (isOwnTable({ family, table })) {
    sink.moved({ object: emptyTable(table), owner: 'ours', portId }, type === NFT_MSG.DELTABLE);
    return;
  }
  payload.at = at;
  if (sink.iptables !== undefined && family !== 'inet' && isIptables(type, payload, table)) sink.iptables();
  payload.at = at;
  if (!isNews(type, payload, { family, table, passage })) return;
  sink.moved({ object: CHANGED_PASSAGE, owner: 'alien', portId }, false);
  sink.passage();
}

interface EventTable extends Pick<ChainPlace, 'family' | 'table'>, Pick<RuleEventContext, 'passage'> {}

/** Whether what happened in a table of others may be of concern to packets that are passed on. */
function isNews(type: number, payload: Reader, { family, table, passage }: EventTable): boolean {
  switch (type) {
    case NFT_MSG.NEWTABLE:
    case NFT_MSG.DELTABLE:
      return passage.concernsTable({ family, table });
    case NFT_MSG.NEWCHAIN:
    case NFT_MSG.DELCHAIN: {
      const { name = '', hook } = chainMessage.read(payload).attrs;
      return passage.concerns({ family, table, name }, hook?.number === NF_INET.FORWARD);
    }
    case NFT_MSG.NEWRULE:
    case NFT_MSG.DELRULE: {
      const { chain: name = '' } = rulePlaceMessage.read(payload).attrs;
      return passage.concerns({ family, table, name });
    }
    default:
      return false;
  }
}

/** Whether a chain of flannel's in iptables' tables may be another, or what leads to it. */
function isIptables(type: number, payload: Reader, table: string): boolean {
  const chain = FLANNELD_CHAINS.find((each) => each.table === table);
  if (chain === undefined) return false;
  switch (type) {
    case NFT_MSG.DELTABLE:
      return true;
    case NFT_MSG.NEWCHAIN:
    case NFT_MSG.DELCHAIN: {
      const { name } = chainMessage.read(payload).attrs;
      return name === chain.name || name === chain.caller;
    }
    case NFT_MSG.NEWRULE:
    case NFT_MSG.DELRULE: {
      const { chain: name } = rulePlaceMessage.read(payload).attrs;
      return name === chain.name || name === chain.caller;
    }
    default:
      return false;
  }
}

const CHANGED_PASSAGE: PassageObject = {
  kind: 'passage',
  networks: [],
  faults: ['it may have changed'],
  rules: [],
};

function emptyTable(name: string): TableObject {
  const family = FAMILIES.find((each) => tableName(each) === name) ?? 4;
  return { kind: 'table', family, name, comment: undefined, dormant: false, chains: [] };
}
