/**
 * What the kernel announces: which object moved, and what may change the choice of the underlay.
 *
 * @module
 */
import { FAMILIES } from '../model/ip.ts';
import { forwardingSetting } from '../model/objects.ts';
import { eachMessage, type MessageHeader } from '../netlink/frame.ts';
import { NETCONFA_IFINDEX_ALL, netconfMessage, RTM_NEWNETCONF } from '../netlink/netconf.ts';
import {
  AF,
  addressMessage,
  IFF,
  linkMessage,
  neighbourMessage,
  RTM,
  routeMessage,
} from '../netlink/route.ts';
import type { Reader } from '../netlink/wire.ts';
import { DecodeError } from '../netlink/wire.ts';
import type { Claims, Observed } from '../reconcile/target.ts';
import { addressOwner, readAddress } from './addresses.ts';
import type { LinkTable } from './link-table.ts';
import { linkOwner, readLink } from './links.ts';
import { readNeighbour } from './neighbours.ts';
import { readRoute, routeOwner } from './routes.ts';

/** Who hears of events. */
export interface EventSink {
  /** An object of a kind that we make was made, changed, or is `gone`. */
  readonly moved: (observed: Observed, gone: boolean) => void;
  /** One of our links is another than before: nothing that stood on it is left. */
  readonly look: (cause: string) => void;
  /** A link, address or route that is not ours has changed. */
  readonly underlay: (event: UnderlayEvent) => void;
  /** Something of the pods' hostPorts has changed. */
  readonly hostPorts?: () => void;
  /** Somebody has changed a chain of flannel's in iptables, or one that leads to it. */
  readonly iptables?: () => void;
}

/** A change that may matter to the choice of the underlay. */
export type UnderlayEvent =
  | {
      readonly kind: 'link';
      readonly name: string;
      readonly index: number;
      readonly mtuBytes: number;
      readonly up: boolean;
      readonly gone: boolean;
    }
  | { readonly kind: 'address'; readonly link: string; readonly gone: boolean }
  | { readonly kind: 'route'; readonly link: string; readonly isDefault: boolean };

/** What events are read against. */
export interface EventContext {
  /** Kept up to date by what is read. */
  readonly links: LinkTable;
  readonly claims: Claims;
}

/**
 * Reads a datagram. One that does not parse makes us look at everything: nothing is known of what it said.
 */
export function readEvents(datagram: Uint8Array, context: EventContext, sink: EventSink): void {
  try {
    eachMessage(datagram, datagram.length, (header, payload) =>
      readEvent({ header, payload }, context, sink),
    );
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    sink.look(`unreadable event: ${error.message}`);
  }
}

function readEvent(
  { header, payload }: { header: MessageHeader; payload: Reader },
  context: EventContext,
  sink: EventSink,
): void {
  const { portId } = header;
  const work: EventWork = { ...context, sink, portId };
  switch (header.type) {
    case RTM.NEWLINK:
    case RTM.DELLINK:
      readLinkEvent(payload, header.type === RTM.DELLINK, work);
      break;
    case RTM.NEWADDR:
    case RTM.DELADDR:
      readAddressEvent(payload, header.type === RTM.DELADDR, work);
      break;
    case RTM.NEWROUTE:
    case RTM.DELROUTE:
      readRouteEvent(payload, header.type === RTM.DELROUTE, work);
      break;
    case RTM.NEWNEIGH:
    case RTM.DELNEIGH:
      readNeighbourEvent(payload, header.type === RTM.DELNEIGH, work);
      break;
    case RTM_NEWNETCONF:
      readSettingEvent(payload, work);
      break;
  }
}

type EventWork = EventContext & { readonly sink: EventSink; readonly portId: number };

function readLinkEvent(payload: Reader, gone: boolean, { links, claims, sink, portId }: EventWork): void {
  const message = linkMessage.read(payload);
  const { name, mtu = 0 } = message.attrs;
  const { index, flags, family } = message.header;
  // AF_BRIDGE messages are about ports of bridges, not about links.
  if (name === undefined || family !== AF.UNSPEC) return;
  const up = (flags & IFF.UP) !== 0;
  const before = links.byName(name);
  const formerName = links.nameOf(index);
  if (formerName !== undefined && formerName !== name && claims.links.has(formerName)) {
    sink.look(`link ${formerName} was renamed ${name}`);
  }
  if (gone) links.delete(name);
  else links.set({ index, name, up });
  if (!claims.links.has(name)) {
    sink.underlay({ kind: 'link', name, index, mtuBytes: mtu, up, gone });
    return;
  }
  if (!gone && before !== undefined && before.index !== index) sink.look(`link ${name} was made again`);
  const object = readLink(message, links);
  if (object === undefined) return;
  const owner = linkOwner(object);
  sink.moved({ object, owner, portId }, gone);
  if (owner === 'alien') links.delete(name);
  else if (!gone) sink.moved({ object: { kind: 'up', link: name }, owner, portId }, !up);
}

function readAddressEvent(payload: Reader, gone: boolean, { links, claims, sink, portId }: EventWork): void {
  const object = readAddress(addressMessage.read(payload), links);
  if (object === undefined) return;
  if (claims.links.has(object.link))
    sink.moved({ object, owner: addressOwner(object, claims), portId }, gone);
  else sink.underlay({ kind: 'address', link: object.link, gone });
}

function readRouteEvent(payload: Reader, gone: boolean, { links, claims, sink, portId }: EventWork): void {
  const object = readRoute(routeMessage.read(payload), links);
  if (object === undefined) return;
  const owner = routeOwner(object, claims);
  sink.moved({ object, owner, portId }, gone);
  if (owner !== 'ours')
    sink.underlay({ kind: 'route', link: object.link, isDefault: object.dst.endsWith('/0') });
}

function readNeighbourEvent(
  payload: Reader,
  gone: boolean,
  { links, claims, sink, portId }: EventWork,
): void {
  const read = readNeighbour(neighbourMessage.read(payload), links);
  if (read === undefined || !claims.links.has(read.object.link)) return;
  // An entry that is not permanent any more is as good as gone: the kernel may drop it at any time.
  sink.moved({ object: read.object, owner: 'ours', portId }, gone || !read.permanent);
}

/** Whether packets are forwarded is the one setting of ours that the kernel announces. */
function readSettingEvent(payload: Reader, { sink, portId }: EventWork): void {
  const { header, attrs } = netconfMessage.read(payload);
  const { ifindex, forwarding } = attrs;
  const family = FAMILIES.find((each) => (each === 4 ? AF.INET : AF.INET6) === header.family);
  if (family === undefined || ifindex !== NETCONFA_IFINDEX_ALL || forwarding === undefined) return;
  const object = { ...forwardingSetting(family), value: String(forwarding) };
  sink.moved({ object, owner: 'kernel', portId }, false);
}
