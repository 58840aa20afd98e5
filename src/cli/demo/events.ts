/**
 * The kernel's announcements about one namespace, as a hint to look again.
 *
 * @module
 */
import { inNetns, type Netns } from '../../../ffi/netns.ts';
import { openNetlink } from '../../../ffi/socket.ts';
import { watchNetlink } from '../../../ffi/watch.ts';
import { errnoName } from '../../netlink/error.ts';
import { NETLINK_ROUTE, RTMGRP } from '../../netlink/route.ts';
import { DemoFailure } from './failure.ts';

const GROUPS = Object.values(RTMGRP).reduce((all, group) => all | group, 0);

/** Somebody who wants to know when links, addresses, routes or neighbours of a namespace have changed. */
export interface Announcements extends Disposable {
  /** Waits for the next announcement, but no longer than `timeoutMs`: one may have been lost. */
  next(timeoutMs: number): Promise<void>;
}

/** Listens in a namespace. */
export function listen(netns: Netns): Announcements {
  const socket = inNetns(netns, () => openNetlink({ protocol: NETLINK_ROUTE, groups: GROUPS }));
  if (typeof socket === 'number') throw new DemoFailure(`Cannot listen to the kernel: ${errnoName(-socket)}`);
  let wake = () => {};
  const watch = watchNetlink(socket, { onDatagrams: () => wake(), onLost: () => wake() });
  return {
    next: (timeoutMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    [Symbol.dispose]: () => watch.close(),
  };
}
