/**
 * What a plugin asks the network stack of one namespace. Every refusal is thrown as a {@link CniAbort}.
 *
 * @module
 */
import { inNetns, type Netns } from '../../ffi/netns.ts';
import { type NetlinkSocket, openNetlink } from '../../ffi/socket.ts';
import { addressBits, familyOf, type Ip } from '../model/ip.ts';
import type { Codec, Infer } from '../netlink/codec.ts';
import { errnoName, type NetlinkError } from '../netlink/error.ts';
import { ifinfomsg } from '../netlink/link-kinds.ts';
import {
  AF,
  addressMessage,
  bridgePortMessage,
  ifaddrmsg,
  linkMessage,
  NETLINK_ROUTE,
  RTM,
  routeMessage,
  rtmsg,
} from '../netlink/route.ts';
import { type Request, Session } from '../netlink/session.ts';
import { CniAbort, cniFailure, thrownText } from './failure.ts';

/** A link as the kernel shows it. */
export type LinkMessage = Infer<typeof linkMessage>;

/** A link as a port, as the kernel shows it. */
export type PortMessage = Infer<typeof bridgePortMessage>;

/** An address as the kernel shows it. */
export type AddressMessage = Infer<typeof addressMessage>;

/** Enough for a link with all its attributes, and for dumps: the kernel cuts those to the reader's room. */
const BUFFER_BYTES = 16 * 1024;

/** One request of several. */
export interface Step {
  /** What it is to do, in words. */
  readonly what: string;
  readonly request: Request<unknown>;
  /** The refusal that is right, too: `EEXIST` of what is there already, say. */
  readonly unless?: number;
}

/** Requests to one namespace: the container's, or without any the thread's own. */
export class Rtnl implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly #session: Session;

  constructor(netns?: Netns) {
    const socket = open(netns);
    if (typeof socket === 'number') {
      throw new CniAbort(cniFailure('OWN', `cannot open a netlink socket: ${errnoName(-socket)}`));
    }
    this.#socket = socket;
    this.#session = new Session(socket, BUFFER_BYTES);
  }

  /** A link by its name, or `undefined` if there is none. */
  link(name: string): LinkMessage | undefined {
    return this.#ask(name, linkMessage);
  }

  /** What a link, by its name or index, is as a port of a bridge, or `undefined` if there is no such link. */
  port(link: string | number): PortMessage | undefined {
    return this.#ask(link, bridgePortMessage);
  }

  #ask<T>(link: string | number, reply: Codec<T>): T | undefined {
    let found: T | undefined;
    const value =
      typeof link === 'number'
        ? { header: ifinfomsg.of({ index: link }), attrs: {} }
        : { header: ifinfomsg.of({}), attrs: { name: link } };
    const request = { type: RTM.GETLINK, flags: 0, codec: linkMessage, value };
    this.#session.ask(request, reply, (answer) => {
      found = answer;
    });
    return found;
  }

  /** The addresses of a link. */
  addresses(index: number): AddressMessage[] {
    const value = { header: ifaddrmsg.of({ index }), attrs: {} };
    const request = { type: RTM.GETADDR, flags: 0, codec: addressMessage, value };
    // An older kernel shows those of all links.
    return this.dump(request, addressMessage).filter(({ header }) => header.index === index);
  }

  /** The name of the link that leads to an address, or `undefined` if there is no route to it. */
  linkTowards(ip: Ip): string | undefined {
    let index: number | undefined;
    const family = familyOf(ip) === 4 ? AF.INET : AF.INET6;
    const header = rtmsg.of({ family, dstLength: addressBits(familyOf(ip)) });
    const value = { header, attrs: { dst: ip } };
    const request = { type: RTM.GETROUTE, flags: 0, codec: routeMessage, value };
    this.#session.ask(request, routeMessage, ({ attrs }) => {
      index = attrs.oif;
    });
    return index === undefined ? undefined : this.#ask(index, linkMessage)?.attrs.name;
  }

  /** What a dump shows. One that the kernel interrupts comes again from its beginning. */
  dump<T, R>(request: Request<T>, reply: Codec<R>): R[] {
    let found: R[] = [];
    const restart = () => {
      found = [];
    };
    const error = this.#session.dump(request, reply, { visit: (value) => found.push(value), restart });
    if (error !== undefined) throw refusal('read the state of the network', error);
    return found;
  }

  /** Makes one request; `what` says in words what it is to do. */
  execute<T>(what: string, request: Request<T>): void {
    const error = this.try(request);
    if (error !== undefined) throw refusal(what, error);
  }

  /** Makes requests with one datagram, whatever becomes of those before. Throws the first refusal. */
  run(steps: readonly Step[]): void {
    for (const [i, { request }] of steps.entries()) this.#session.queue(i, request);
    const failed = this.#session.finish();
    for (const [i, { what, unless }] of steps.entries()) {
      const error = failed.get(i);
      if (error !== undefined && error.errno !== unless) throw refusal(what, error);
    }
  }

  /** Makes one request and gives back why it was refused. */
  try<T>(request: Request<T>): NetlinkError | undefined {
    return this.#session.execute(request);
  }

  /** Closes the socket. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** The error for a request that was refused. */
export function refusal(what: string, error: NetlinkError): CniAbort {
  return new CniAbort(cniFailure('OWN', `cannot ${what}`, error.message));
}

function open(netns: Netns | undefined): NetlinkSocket | number {
  const openHere = () => openNetlink({ protocol: NETLINK_ROUTE });
  if (netns === undefined) return openHere();
  try {
    return inNetns(netns, openHere);
  } catch (thrown) {
    const msg = 'CNI_NETNS: cannot enter the network namespace';
    throw new CniAbort(cniFailure('INVALID_ENVIRONMENT', msg, thrownText(thrown)));
  }
}
