/**
 * Which addresses are reached without a gateway.
 *
 * @module
 */
import { addressBits, familyOf, type Ip, type Prefix, prefixLength, prefixOf } from '../model/ip.ts';
import type { HostRoute, HostSnapshot } from './snapshot.ts';

/** Table main as a lookup: the longest prefix wins, among equals the lowest metric. */
export interface OnLink {
  /** The link that reaches the address directly, if one does. */
  readonly linkTo: (ip: Ip) => string | undefined;
  /** Equal texts mean equal answers for the peers. */
  readonly digest: string;
}

/** Nothing is on-link: for backends that do not ask. */
export const NOTHING_ON_LINK: OnLink = { linkTo: () => undefined, digest: '' };

/**
 * Reads the snapshot's routes.
 *
 * @param peers the addresses that the answers are for: thousands of other routes may come and go beside them
 */
export function onLinkOf({ routes, links }: HostSnapshot, peers: Iterable<Ip>): OnLink {
  const best = new Map<Prefix, HostRoute>();
  for (const route of routes) {
    const before = best.get(route.dst);
    if (before === undefined || route.metric < before.metric) best.set(route.dst, route);
  }
  const lengths = [...new Set([...best.keys()].map(prefixLength))].sort((a, b) => b - a);
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const linkTo = (ip: Ip) => {
    for (const length of lengths) {
      if (length > addressBits(familyOf(ip))) continue;
      const route = best.get(prefixOf(ip, length));
      if (route !== undefined) return route.direct ? names.get(route.index) : undefined;
    }
    return undefined;
  };
  const direct: string[] = [];
  for (const ip of peers) {
    const link = linkTo(ip);
    if (link !== undefined) direct.push(`${ip} ${link}`);
  }
  return { linkTo, digest: direct.sort().join('\n') };
}
