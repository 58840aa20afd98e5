/**
 * Table main of the fake kernel: one route for each destination and metric.
 *
 * @module
 */
import { familyOf, type Ip, prefixContains, prefixOf } from '../../src/model/ip.ts';
import type { AddressObject, RouteObject } from '../../src/model/objects.ts';
import { RTPROT } from '../../src/netlink/route.ts';

const IPV6_METRIC = 1024;
const IPV6_CONNECTED_METRIC = 256;

/** The routes. */
export class FakeRoutes {
  readonly #bySlot = new Map<string, RouteObject>();

  /** All of them, or those of a link. */
  all(link?: string): RouteObject[] {
    const routes = [...this.#bySlot.values()];
    return link === undefined ? routes : routes.filter((route) => route.link === link);
  }

  /** The route that another one would take the place of. */
  inPlaceOf(route: RouteObject): RouteObject | undefined {
    return this.#bySlot.get(slotOf(route));
  }

  set(route: RouteObject): void {
    this.#bySlot.set(slotOf(route), route);
  }

  delete(route: RouteObject): void {
    this.#bySlot.delete(slotOf(route));
  }

  /** Whether a link reaches an address without a gateway. */
  reaches(link: string, ip: Ip): boolean {
    return this.all(link).some(({ dst, gateway }) => gateway === undefined && prefixContains(dst, ip));
  }

  renameLink(link: string, to: string): void {
    for (const route of this.all(link)) this.set({ ...route, link: to });
  }
}

/** The kernel's own route to the network of an address. */
export function connectedRoute({ ip, length, link }: AddressObject): RouteObject {
  return {
    kind: 'route',
    dst: prefixOf(ip, length),
    gateway: undefined,
    link,
    onlink: false,
    protocol: RTPROT.KERNEL,
    metric: familyOf(ip) === 6 ? IPV6_CONNECTED_METRIC : undefined,
  };
}

function slotOf({ dst, metric }: RouteObject): string {
  return `${dst} ${metric ?? (familyOf(dst) === 6 ? IPV6_METRIC : 0)}`;
}
