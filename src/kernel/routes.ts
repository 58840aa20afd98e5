/**
 * Routes between objects and RTM_*ROUTE.
 *
 * @module
 */
import { type Ip, type Prefix, prefixBase, prefixLength, prefixOf } from '../model/ip.ts';
import { isOwnBlackhole, ROUTE_PROTOCOL, type RouteObject } from '../model/objects.ts';
import type { Infer } from '../netlink/codec.ts';
import {
  AF,
  RT_SCOPE,
  RT_TABLE_MAIN,
  RTM,
  RTM_F_CLONED,
  RTN_BLACKHOLE,
  RTN_UNICAST,
  RTNH_F_ONLINK,
  RTPROT,
  routeMessage,
  rtmsg,
} from '../netlink/route.ts';
import { NLM_F, type Request } from '../netlink/session.ts';
import type { Claims, Owner } from '../reconcile/target.ts';
import type { LinkTable } from './link-table.ts';

/** A decoded RTM_NEWROUTE. */
export type RouteMessage = Infer<typeof routeMessage>;

/** The metric that the kernel gives to IPv6 routes without one (IP6_RT_PRIO_USER). */
const IPV6_METRIC = 1024;

/** Asks for table main of a family. */
export function dumpRoutes(family: 4 | 6): Request<RouteMessage> {
  const header = rtmsg.of({ family: family === 4 ? AF.INET : AF.INET6, table: RT_TABLE_MAIN });
  return { type: RTM.GETROUTE, flags: 0, codec: routeMessage, value: { header, attrs: {} } };
}

/**
 * Creates or replaces a route. The kernel takes the place of any with the same destination and metric. A blackhole is on
 * no link.
 */
export function setRoute(route: RouteObject, index: number | undefined): Request<RouteMessage> {
  return {
    type: RTM.NEWROUTE,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    codec: routeMessage,
    value: routeValue(route, {
      index,
      protocol: ROUTE_PROTOCOL,
      type: route.blackhole ? RTN_BLACKHOLE : RTN_UNICAST,
    }),
  };
}

/** Removes a route: just this one, with its gateway, link and protocol. */
export function deleteRoute(route: RouteObject, index: number | undefined): Request<RouteMessage> {
  return {
    type: RTM.DELROUTE,
    flags: 0,
    codec: routeMessage,
    value: routeValue(route, {
      index,
      protocol: route.protocol,
      type: route.blackhole ? RTN_BLACKHOLE : 0,
    }),
  };
}

/**
 * Sets an IPv6 route whose onlink gateway the kernel takes for another link's (`ip6_route_check_nh_onlink`):
 * that is so as long as the route to be replaced, or a wider one, leads elsewhere. A route to just the gateway
 * settles it for the moment. All three requests in order; the second is the one that counts.
 */
export function setRouteByStep(
  route: RouteObject,
  { gateway, index }: { gateway: Ip; index: number },
): Request<RouteMessage>[] {
  const step = { ...route, dst: prefixOf(gateway, 128), gateway: undefined, onlink: false };
  return [setRoute(step, index), setRoute(route, index), deleteRoute(step, index)];
}

function routeValue(
  { dst, gateway, onlink, metric, link }: RouteObject,
  { index, protocol, type }: { index: number | undefined; protocol: number; type: number },
): RouteMessage {
  const header = {
    family: dst.includes(':') ? AF.INET6 : AF.INET,
    dstLength: prefixLength(dst),
    srcLength: 0,
    tos: 0,
    table: RT_TABLE_MAIN,
    protocol,
    scope: gateway === undefined && link !== '' ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE,
    type,
    flags: onlink ? RTNH_F_ONLINK : 0,
  };
  return { header, attrs: { dst: prefixBase(dst), gateway, oif: index, priority: metric } };
}

/** `linux/rtnetlink.h`: routes by which packets go nowhere (blackhole, unreachable, prohibit, throw). */
const NOWHERE: ReadonlySet<number> = new Set([RTN_BLACKHOLE, 7, 8, 9]);

/**
 * The object that a message shows, if it is a route of table main. One that leads nowhere, or over several next
 * hops, has no link: so it differs from any that we want, and takes its place in the table.
 */
export function readRoute({ header, attrs }: RouteMessage, links: LinkTable): RouteObject | undefined {
  const leadsNowhere = NOWHERE.has(header.type);
  if ((attrs.table ?? header.table) !== RT_TABLE_MAIN) return undefined;
  // One for a type of service stands beside ours, not in its place, and we have no name for it.
  if (header.tos !== 0) return undefined;
  if ((header.type !== RTN_UNICAST && !leadsNowhere) || (header.flags & RTM_F_CLONED) !== 0) return undefined;
  const link = attrs.oif === undefined || leadsNowhere ? '' : links.nameOf(attrs.oif);
  if (link === undefined) return undefined;
  const ipv6 = header.family === AF.INET6;
  const base: Ip | string = attrs.dst ?? (ipv6 ? '::' : '0.0.0.0');
  const route: RouteObject = {
    kind: 'route',
    dst: `${base}/${header.dstLength}` as Prefix,
    gateway: attrs.gateway,
    link,
    onlink: (header.flags & RTNH_F_ONLINK) !== 0,
    protocol: header.protocol,
    metric: ipv6 && attrs.priority === IPV6_METRIC ? undefined : attrs.priority,
  };
  return header.type === RTN_BLACKHOLE ? { ...route, blackhole: true } : route;
}

/** Ours are those of our protocol anywhere, and on our links all that the kernel did not make. */
export function routeOwner(route: RouteObject, { links }: Claims): Owner {
  const { link, protocol } = route;
  if (link === '') return isOwnBlackhole(route) ? 'ours' : 'alien';
  if (protocol === ROUTE_PROTOCOL) return 'ours';
  if (protocol === RTPROT.KERNEL) return 'kernel';
  return links.has(link) ? 'ours' : 'alien';
}
