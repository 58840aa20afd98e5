/**
 * What `ip link`, `ip address`, `ip route` and `bridge fdb` would do, in one network namespace.
 *
 * @module
 */
import type { Netns } from '../../../ffi/netns.ts';
import { inNetns } from '../../../ffi/netns.ts';
import { type NetlinkSocket, openNetlink } from '../../../ffi/socket.ts';
import {
  type Family,
  familyOf,
  type Ip,
  type Mac,
  type Prefix,
  prefixBase,
  prefixLength,
} from '../../model/ip.ts';
import {
  type AddressObject,
  describe,
  type FdbObject,
  type NeighbourObject,
  type RouteObject,
} from '../../model/objects.ts';
import type { Codec, Infer } from '../../netlink/codec.ts';
import { errnoName } from '../../netlink/error.ts';
import { ifinfomsg } from '../../netlink/link-kinds.ts';
import {
  AF,
  addressMessage,
  IFA_F,
  IFF,
  ifaddrmsg,
  linkMessage,
  NETLINK_ROUTE,
  NTF_SELF,
  NUD_PERMANENT,
  ndmsg,
  neighbourMessage,
  RT_TABLE_MAIN,
  RTM,
  RTN_UNICAST,
  RTNH_F_ONLINK,
  RTPROT,
  routeMessage,
  rtmsg,
} from '../../netlink/route.ts';
import { NLM_F, type Request, Session } from '../../netlink/session.ts';
import { DemoFailure } from './failure.ts';

/** `linux/if.h`: IF_OPER_UP. */
const OPERSTATE_UP = 6;

/** One end of a pair of virtual Ethernet devices. */
export interface VethEnd {
  readonly name: string;
  /** Random if absent. */
  readonly mac?: Mac | undefined;
}

/** What can be changed of a link. */
export interface LinkChange {
  readonly up?: boolean;
  readonly mtuBytes?: number;
  /** The name of the bridge that it becomes a port of. */
  readonly bridge?: string;
}

/** What stands on a link and is named by it. */
export type LinkedObject = AddressObject | RouteObject | NeighbourObject | FdbObject;

/** A route by hand, as `ip route add` makes it. */
export function bootRoute(route: { dst: Prefix; gateway: Ip; link: string }): RouteObject {
  return { kind: 'route', ...route, onlink: false, protocol: RTPROT.BOOT, metric: undefined };
}

/** A link as a dump shows it. */
export type LinkMessage = Infer<typeof linkMessage>;

/** The kernel's number of an address family. */
export function familyNumber(family: Family): number {
  return family === 4 ? AF.INET : AF.INET6;
}

/** Requests to the network stack of one namespace. Every refusal is thrown as a {@link DemoFailure}. */
export class Rtnl implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #session: Session;

  constructor(netns: Netns) {
    const socket = inNetns(netns, () => openNetlink({ protocol: NETLINK_ROUTE }));
    if (typeof socket === 'number')
      throw new DemoFailure(`Cannot open a netlink socket: ${errnoName(-socket)}`);
    this.#socket = socket;
    this.#session = new Session(socket);
  }

  /** The index of a link, or `undefined` if there is none of that name. */
  indexOf(name: string): number | undefined {
    return this.#find(name)?.header.index;
  }

  /** Whether a link is up, has a carrier, and the kernel has drawn the consequences (RFC 2863's `up`). */
  isOperational(name: string): boolean {
    return this.#find(name)?.attrs.operState === OPERSTATE_UP;
  }

  /** Makes a bridge. */
  addBridge(name: string): void {
    const attrs = { name, linkInfo: { kind: 'bridge' as const } };
    this.#create(`link ${name} type bridge`, { header: ifinfomsg.of({}), attrs });
  }

  /** Makes a pair of devices with one end here and the other in `netns`. */
  addVeth(here: VethEnd, there: VethEnd & { readonly netns: Netns }): void {
    const peer = {
      header: ifinfomsg.of({}),
      attrs: { name: there.name, address: there.mac, netNsFd: there.netns.fd },
    };
    const attrs = {
      name: here.name,
      address: here.mac,
      linkInfo: { kind: 'veth' as const, data: { peer } },
    };
    this.#create(`link ${here.name} type veth peer ${there.name}`, { header: ifinfomsg.of({}), attrs });
  }

  /** Changes a link as `ip link set` does. */
  setLink(name: string, { up, mtuBytes, bridge }: LinkChange): void {
    const master = bridge === undefined ? undefined : this.#needIndex(bridge);
    const header = ifinfomsg.of({
      index: this.#needIndex(name),
      flags: up === true ? IFF.UP : 0,
      change: up === undefined ? 0 : IFF.UP,
    });
    const value = { header, attrs: { mtu: mtuBytes, master } };
    this.#execute(`Cannot set link ${name}`, { type: RTM.NEWLINK, flags: 0, codec: linkMessage, value });
  }

  /** Deletes a link, and with it all that stands on it. */
  deleteLink(name: string): void {
    const value = { header: ifinfomsg.of({ index: this.#needIndex(name) }), attrs: {} };
    const request = { type: RTM.DELLINK, flags: 0, codec: linkMessage, value };
    this.#execute(`Cannot delete link ${name}`, request);
  }

  /** Adds an object; `replace` puts it in the place of one with the same identity. */
  add(object: LinkedObject, how: 'create' | 'replace' = 'create'): void {
    const flags = NLM_F.CREATE | (how === 'replace' ? NLM_F.REPLACE : NLM_F.EXCL);
    this.#change(object, { verb: how, flags });
  }

  /** Deletes an object. */
  delete(object: LinkedObject): void {
    this.#change(object, { verb: 'delete', flags: 0 });
  }

  /** Streams a dump to `visit`. One that the kernel interrupts comes again from its beginning. */
  dump<T, R>(request: Request<T>, reply: Codec<R>, visit: (value: R) => void): void {
    let found: R[] = [];
    const restart = () => {
      found = [];
    };
    const error = this.#session.dump(request, reply, { visit: (value) => found.push(value), restart });
    if (error !== undefined) throw new DemoFailure(`Cannot read the kernel's state: ${error.message}`);
    found.forEach(visit);
  }

  /** Closes the socket. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #find(name: string): LinkMessage | undefined {
    let found: LinkMessage | undefined;
    const value = { header: ifinfomsg.of({}), attrs: { name } };
    const request = { type: RTM.GETLINK, flags: 0, codec: linkMessage, value };
    this.#session.ask(request, linkMessage, (link) => {
      found = link;
    });
    return found;
  }

  #needIndex(name: string): number {
    const index = this.indexOf(name);
    if (index === undefined) throw new DemoFailure(`There is no link '${name}'`);
    return index;
  }

  #create(what: string, value: LinkMessage): void {
    const flags = NLM_F.CREATE | NLM_F.EXCL;
    this.#execute(`Cannot create ${what}`, { type: RTM.NEWLINK, flags, codec: linkMessage, value });
  }

  #change(object: LinkedObject, { verb, flags }: { verb: string; flags: number }): void {
    const what = `Cannot ${verb} ${describe(object)}`;
    const index = this.#needIndex(object.link);
    const adds = verb !== 'delete';
    if (object.kind === 'address') {
      const type = adds ? RTM.NEWADDR : RTM.DELADDR;
      this.#execute(what, { type, flags, codec: addressMessage, value: addressOf(object, index) });
    } else if (object.kind === 'route') {
      const type = adds ? RTM.NEWROUTE : RTM.DELROUTE;
      const value = routeOf(object, { index, protocol: adds ? object.protocol : 0 });
      this.#execute(what, { type, flags, codec: routeMessage, value });
    } else {
      const type = adds ? RTM.NEWNEIGH : RTM.DELNEIGH;
      this.#execute(what, { type, flags, codec: neighbourMessage, value: neighbourOf(object, index) });
    }
  }

  #execute<T>(what: string, request: Request<T>): void {
    const error = this.#session.execute(request);
    if (error !== undefined) throw new DemoFailure(`${what}: ${error.message}`);
  }
}

/** Without duplicate address detection, so that an IPv6 address works at once. */
function addressOf({ ip, length }: AddressObject, index: number): Infer<typeof addressMessage> {
  const family = familyOf(ip);
  const header = ifaddrmsg.of({ family: familyNumber(family), prefixLength: length, index });
  return { header, attrs: { local: ip, address: ip, flags: family === 6 ? IFA_F.NODAD : undefined } };
}

function routeOf(
  { dst, gateway, onlink }: RouteObject,
  { index, protocol }: { index: number; protocol: number },
): Infer<typeof routeMessage> {
  const header = rtmsg.of({
    family: familyNumber(familyOf(dst)),
    dstLength: prefixLength(dst),
    table: RT_TABLE_MAIN,
    protocol,
    type: RTN_UNICAST,
    flags: onlink ? RTNH_F_ONLINK : 0,
  });
  return { header, attrs: { dst: prefixBase(dst), gateway, oif: index } };
}

function neighbourOf(object: NeighbourObject | FdbObject, ifindex: number): Infer<typeof neighbourMessage> {
  const fdb = object.kind === 'fdb';
  const dst: Ip = fdb ? object.dst : object.ip;
  const header = ndmsg.of({
    family: fdb ? AF.BRIDGE : familyNumber(familyOf(dst)),
    ifindex,
    state: NUD_PERMANENT,
    flags: fdb ? NTF_SELF : 0,
    type: RTN_UNICAST,
  });
  return { header, attrs: { dst, lladdr: object.mac } };
}
