/**
 * Neighbours and forwarding entries between objects and RTM_*NEIGH: both are one message, told apart by the
 * family (`linux/neighbour.h`, bridge(8)).
 *
 * @module
 */
import { familyOf, formatMac } from '../model/ip.ts';
import type { FdbObject, NeighbourObject } from '../model/objects.ts';
import type { Infer } from '../netlink/codec.ts';
import { AF, NTF_SELF, NUD_PERMANENT, ndmsg, neighbourMessage, RTM } from '../netlink/route.ts';
import { NLM_F, type Request } from '../netlink/session.ts';
import type { LinkTable } from './link-table.ts';

/** A decoded RTM_NEWNEIGH. */
export type NeighbourMessage = Infer<typeof neighbourMessage>;

/** The forwarding entry for everything that has none of its own: the device's remote, never ours. */
const DEFAULT_ENTRY = '00:00:00:00:00:00';

const NO_MAC = formatMac(new Uint8Array(6), 0);

const RTN_UNICAST = 1;

/** Asks for what one link has: AF_INET, AF_INET6, or AF_BRIDGE for forwarding entries. */
export function dumpNeighbours(family: number, index: number): Request<NeighbourMessage> {
  const value = { header: ndmsg.of({ family }), attrs: { ifindex: index } };
  return { type: RTM.GETNEIGH, flags: 0, codec: neighbourMessage, value };
}

/** Creates, replaces or removes an entry. */
export function neighbourRequest(
  verb: 'set' | 'remove',
  object: NeighbourObject | FdbObject,
  index: number,
): Request<NeighbourMessage> {
  const fdb = object.kind === 'fdb';
  const dst = fdb ? object.dst : object.ip;
  const header = {
    family: fdb ? AF.BRIDGE : familyOf(dst) === 4 ? AF.INET : AF.INET6,
    ifindex: index,
    state: NUD_PERMANENT,
    flags: fdb ? NTF_SELF : 0,
    type: fdb ? 0 : RTN_UNICAST,
  };
  return {
    type: verb === 'set' ? RTM.NEWNEIGH : RTM.DELNEIGH,
    flags: verb === 'set' ? NLM_F.CREATE | NLM_F.REPLACE : 0,
    codec: neighbourMessage,
    value: { header, attrs: { dst, lladdr: object.mac } },
  };
}

/** What a message shows, and whether somebody set it for good. */
export interface ReadNeighbour {
  readonly object: NeighbourObject | FdbObject;
  /** NUD_PERMANENT: not learned, does not age. */
  readonly permanent: boolean;
}

/** The entry that a message shows; nothing for the default forwarding entry and those without an address. */
export function readNeighbour(
  { header, attrs }: NeighbourMessage,
  links: LinkTable,
): ReadNeighbour | undefined {
  const link = links.nameOf(header.ifindex);
  const { dst, lladdr: mac } = attrs;
  if (link === undefined || dst === undefined) return undefined;
  const permanent = (header.state & NUD_PERMANENT) !== 0;
  if (header.family === AF.BRIDGE) {
    if (mac === undefined || mac === DEFAULT_ENTRY) return undefined;
    return { object: { kind: 'fdb', link, mac, dst }, permanent };
  }
  // An entry that is being deleted has lost its address before the kernel says so.
  if (mac === undefined && permanent) return undefined;
  return { object: { kind: 'neighbour', link, ip: dst, mac: mac ?? NO_MAC }, permanent };
}
