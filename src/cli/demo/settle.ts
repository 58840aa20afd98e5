/**
 * Waits for what the kernel does later by itself: after a request to set a link up has been answered, the link
 * drops what it should send until its carrier was noticed, it asks for no IPv6 neighbour until it has made itself
 * a link-local address, and it hears nobody ask until a multicast group was joined. Where many devices come
 * and go that takes long, and a packet that is lost to it is sent again only a second later.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { inNetns, type Netns } from '../../../ffi/netns.ts';
import { familyOf, type Ip, writeIp } from '../../model/ip.ts';
import { IFA_F } from '../../netlink/route.ts';
import { DemoFailure } from './failure.ts';
import type { Rtnl } from './rtnl.ts';

/** It takes a millisecond or two; more, where many devices come and go. */
const SETTLE_TIMEOUT_MS = 10_000;
const LOOK_INTERVAL_MS = 1;

/** One end of a cable. */
export interface LinkEnd {
  readonly netns: Netns;
  readonly rtnl: Rtnl;
  readonly link: string;
  /** Its addresses. */
  readonly ips: readonly Ip[];
}

/**
 * Waits until every link carries traffic for its addresses.
 *
 * @throws DemoFailure if one does not
 */
export async function untilCarrying(ends: readonly LinkEnd[]): Promise<void> {
  const deadlineMs = performance.now() + SETTLE_TIMEOUT_MS;
  for (const end of ends) {
    while (!carries(end)) {
      if (performance.now() > deadlineMs) throw new DemoFailure(`Link '${end.link}' does not come up`);
      await Bun.sleep(LOOK_INTERVAL_MS);
    }
  }
}

/**
 * What lets a link find its IPv6 neighbours and be found: the groups that it listens to (`/proc/net/igmp6`) and
 * the addresses that it may use (`/proc/net/if_inet6`), as lines to compare.
 */
export function ipv6Readiness(netns: Netns, link: string): Set<string> {
  const read = (name: string) =>
    inNetns(netns, () => readFileSync(`/proc/thread-self/net/${name}`, 'utf8'))
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
  const groups = read('igmp6').filter(([, device]) => device === link);
  const addresses = read('if_inet6').filter(([, , , , flags = '', device]) => {
    return device === link && (Number.parseInt(flags, 16) & IFA_F.TENTATIVE) === 0;
  });
  return new Set([
    ...groups.map(([, , group]) => `group ${group}`),
    ...addresses.map(([address]) => `address ${address}`),
  ]);
}

function carries({ netns, rtnl, link, ips }: LinkEnd): boolean {
  if (!rtnl.isOperational(link)) return false;
  const ipv6 = ips.filter((ip) => familyOf(ip) === 6);
  if (ipv6.length === 0) return true;
  const ready = ipv6Readiness(netns, link);
  // What is forwarded to a neighbour that is not known yet is asked for from the link-local address.
  const hasLinkLocal = [...ready].some((line) => line.startsWith('address fe80'));
  return hasLinkLocal && ipv6.every((ip) => ready.has(`group ${solicitedNodeGroup(ip)}`));
}

/** RFC 4291, 2.7.1: ff02::1:ff00:0/104 and the last 24 bits of the address. */
function solicitedNodeGroup(ip: Ip): string {
  const bytes = new Uint8Array(16);
  writeIp(ip, bytes, 0);
  return `ff0200000000000000000001ff${Buffer.from(bytes.subarray(13)).toString('hex')}`;
}
