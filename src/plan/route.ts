/**
 * Routes to peers' subnets.
 *
 * @module
 */
import type { Ip, Prefix } from '../model/ip.ts';
import { ROUTE_PROTOCOL, type RouteObject } from '../model/objects.ts';

/** How a peer's subnet is reached. */
export interface NextHop {
  readonly gateway: Ip;
  readonly link: string;
  readonly onlink: boolean;
}

/** A route of ours to a peer's subnet. */
export function route(dst: Prefix, { gateway, link, onlink }: NextHop): RouteObject {
  return { kind: 'route', dst, gateway, link, onlink, protocol: ROUTE_PROTOCOL, metric: undefined };
}
