/**
 * A witness of what the kernel announces in a namespace, with the time at which it heard.
 *
 * @module
 */
import { inNetns, type Netns } from '../../ffi/netns.ts';
import { openNetlink } from '../../ffi/socket.ts';
import { watchNetlink } from '../../ffi/watch.ts';
import { eachMessage } from '../../src/netlink/frame.ts';
import {
  AF,
  addressMessage,
  IFF,
  linkMessage,
  NETLINK_ROUTE,
  neighbourMessage,
  RTM,
  RTMGRP,
  routeMessage,
} from '../../src/netlink/route.ts';
import type { Reader } from '../../src/netlink/wire.ts';

/** Room for the announcement of every object of the largest measurement. */
const BUFFER_BYTES = 64 * 1024 * 1024;
const WAIT_MS_MAX = 15_000;

/** Something that was heard. */
export interface Heard {
  readonly kind: 'link' | 'address' | 'route' | 'neighbour' | 'fdb';
  readonly gone: boolean;
  /** The link's name, the address, the route's destination, the neighbour's address, the entry's MAC. */
  readonly name: string;
  /** Of a link whether it is up, of a route who made it. */
  readonly up: boolean;
  readonly protocol: number;
  /** `performance.now()` when it was heard. */
  readonly atMs: number;
}

/** Listens from its making until it is disposed of. */
export class Witness implements Disposable {
  readonly #watch: { close(): void };
  readonly #waiting = new Set<(heard: Heard) => void>();

  constructor(netns: Netns, groups: number = ALL_GROUPS) {
    const socket = inNetns(netns, () =>
      openNetlink({ protocol: NETLINK_ROUTE, groups, receiveBufferBytes: BUFFER_BYTES }),
    );
    if (typeof socket === 'number') throw new Error(`Cannot open a netlink socket: errno ${-socket}`);
    this.#watch = watchNetlink(socket, {
      onLost: (reason) => {
        throw new Error(`The witness lost events: ${reason}`);
      },
      onDatagrams: (bytes) => {
        const atMs = performance.now();
        eachMessage(bytes, bytes.length, ({ type }, payload) => {
          const heard = read(type, payload, atMs);
          if (heard !== undefined) for (const listener of [...this.#waiting]) listener(heard);
        });
      },
    });
  }

  /** The next event that fits. */
  next(fits: (heard: Heard) => boolean, waitMs: number = WAIT_MS_MAX): Promise<Heard> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(listener);
        reject(new Error(`The witness has waited ${waitMs / 1000} s in vain`));
      }, waitMs);
      const listener = (heard: Heard) => {
        if (!fits(heard)) return;
        clearTimeout(timer);
        this.#waiting.delete(listener);
        resolve(heard);
      };
      this.#waiting.add(listener);
    });
  }

  [Symbol.dispose](): void {
    this.#watch.close();
  }
}

const ALL_GROUPS =
  RTMGRP.LINK |
  RTMGRP.NEIGH |
  RTMGRP.IPV4_IFADDR |
  RTMGRP.IPV4_ROUTE |
  RTMGRP.IPV6_IFADDR |
  RTMGRP.IPV6_ROUTE;

function read(type: number, payload: Reader, atMs: number): Heard | undefined {
  const nothing = { up: false, protocol: 0, atMs };
  switch (type) {
    case RTM.NEWLINK:
    case RTM.DELLINK: {
      const { header, attrs } = linkMessage.read(payload);
      if (header.family !== AF.UNSPEC) return undefined;
      const up = (header.flags & IFF.UP) !== 0;
      return { ...nothing, kind: 'link', gone: type === RTM.DELLINK, name: attrs.name ?? '', up };
    }
    case RTM.NEWADDR:
    case RTM.DELADDR: {
      const { attrs } = addressMessage.read(payload);
      const name = attrs.local ?? attrs.address ?? '';
      return { ...nothing, kind: 'address', gone: type === RTM.DELADDR, name };
    }
    case RTM.NEWROUTE:
    case RTM.DELROUTE: {
      const { header, attrs } = routeMessage.read(payload);
      const { protocol } = header;
      return { ...nothing, kind: 'route', gone: type === RTM.DELROUTE, name: attrs.dst ?? '', protocol };
    }
    case RTM.NEWNEIGH:
    case RTM.DELNEIGH: {
      const { header, attrs } = neighbourMessage.read(payload);
      const kind = header.family === AF.BRIDGE ? 'fdb' : 'neighbour';
      const name = (kind === 'fdb' ? attrs.lladdr : attrs.dst) ?? '';
      return { ...nothing, kind, gone: type === RTM.DELNEIGH, name };
    }
  }
  return undefined;
}
