/**
 * Which addresses are reached without a gateway.
 *
 * @module
 */
import { addressBits, familyOf, type Ip, type Prefix, prefixLength, prefixOf } from '../model/ip.ts';
import type { HostRoute, HostSnapshot } from './snapshot.ts';

/** The link that reaches an address directly, if one does. */
export type OnLink = (ip: Ip) => string | undefined;

/** Nothing is on-link: for backends that do not ask. */
export const NOTHING_ON_LINK: OnLink = () => undefined;

/** Table main as a lookup: the longest prefix wins, among equals the lowest metric. */
export function onLinkOf({ routes, links }: HostSnapshot): OnLink {
  const best = new Map<Prefix, HostRoute>();
  for (const route of routes) {
    const before = best.get(route.dst);
    if (before === undefined || route.metric < before.metric) best.set(route.dst, route);
  }
  const lengths = [...new Set([...best.keys()].map(prefixLength))].sort((a, b) => b - a);
  const names = new Map(links.map(({ index, name }) => [index, name]));
  return (ip) => {
    for (const length of lengths) {
      if (length > addressBits(familyOf(ip))) continue;
      const route = best.get(prefixOf(ip, length));
      if (route !== undefined) return route.direct ? names.get(route.index) : undefined;
    }
    return undefined;
  };
}
