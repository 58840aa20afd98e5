/**
 * Reads what the choice of the underlay interface is made from.
 *
 * @module
 */
import { familyOf, type Ip, type Prefix } from '../model/ip.ts';
import { ROUTE_PROTOCOL } from '../model/objects.ts';
import { type Problem, problem } from '../model/problem.ts';
import { fail, ok, type Result } from '../model/result.ts';
import type { NetlinkError } from '../netlink/error.ts';
import {
  AF,
  addressMessage,
  IFA_F,
  IFF,
  linkMessage,
  RT_TABLE_MAIN,
  RTM,
  RTM_F_CLONED,
  RTN_UNICAST,
  RTPROT,
  routeMessage,
  rtmsg,
} from '../netlink/route.ts';
import type { Session } from '../netlink/session.ts';
import type { HostAddress, HostLink, HostPath, HostRoute, HostSnapshot } from '../underlay/snapshot.ts';
import { dumpAddresses } from './addresses.ts';
import { isEmptyDump } from './failure.ts';
import { dumpLinks } from './links.ts';
import { dumpRoutes, type RouteMessage } from './routes.ts';

/** Reads links, addresses and foreign routes, and asks for the way to `canReach`. */
export function readHost(session: Session, canReach: Ip | undefined): Result<HostSnapshot, Problem> {
  const links: HostLink[] = [];
  const addresses: HostAddress[] = [];
  const routes: HostRoute[] = [];
  const error =
    session.dump(dumpLinks, linkMessage, {
      restart: () => void links.splice(0),
      visit: ({ header: { index, flags }, attrs: { name = '', mtu = 0, linkInfo } }) => {
        const [up, loopback] = [(flags & IFF.UP) !== 0, (flags & IFF.LOOPBACK) !== 0];
        links.push({
          index,
          name,
          mtuBytes: mtu,
          up,
          loopback,
          hardware: linkInfo === undefined && !loopback,
        });
      },
    }) ??
    readAddresses(session, addresses) ??
    readRoutes(session, routes);
  if (error !== undefined)
    return fail(problem('netlink-failed', `Cannot read this node's network: ${error.message}`));
  links.sort((a, b) => a.index - b.index);
  return ok({ links, addresses, routes, reach: canReach && askPath(session, canReach) });
}

function readAddresses(session: Session, addresses: HostAddress[]): NetlinkError | undefined {
  for (const family of [4, 6] as const) {
    const from = addresses.length;
    const error = session.dump(dumpAddresses(family), addressMessage, {
      restart: () => void addresses.splice(from),
      visit: ({ header, attrs }) => {
        const ip = attrs.local ?? attrs.address;
        const flags = attrs.flags ?? header.flags;
        const has = (flag: number) => (flags & flag) !== 0;
        if (ip === undefined || has(IFA_F.DADFAILED)) return;
        const [deprecated, permanent] = [has(IFA_F.DEPRECATED), has(IFA_F.PERMANENT)];
        addresses.push({ index: header.index, ip, deprecated, permanent, temporary: has(IFA_F.SECONDARY) });
      },
    });
    if (error !== undefined && !isEmptyDump(error)) return error;
  }
  return undefined;
}

function readRoutes(session: Session, routes: HostRoute[]): NetlinkError | undefined {
  for (const family of [4, 6] as const) {
    const from = routes.length;
    const error = session.dump(dumpRoutes(family), routeMessage, {
      restart: () => void routes.splice(from),
      visit: (message) => {
        const route = readHostRoute(message);
        if (route !== undefined) routes.push(route);
      },
    });
    if (error !== undefined && !isEmptyDump(error)) return error;
  }
  return undefined;
}

function readHostRoute({ header, attrs }: RouteMessage): HostRoute | undefined {
  if ((attrs.table ?? header.table) !== RT_TABLE_MAIN || header.type !== RTN_UNICAST) return undefined;
  if (header.protocol === ROUTE_PROTOCOL || (header.flags & RTM_F_CLONED) !== 0) return undefined;
  const base: string = attrs.dst ?? (header.family === AF.INET6 ? '::' : '0.0.0.0');
  const direct = attrs.gateway === undefined && attrs.via === undefined && attrs.multipath === undefined;
  const dst = `${base}/${header.dstLength}` as Prefix;
  const advertised = header.protocol === RTPROT.RA;
  return { dst, direct, index: attrs.oif ?? 0, metric: attrs.priority ?? 0, advertised };
}

function askPath(session: Session, ip: Ip): HostPath | undefined {
  const family = familyOf(ip);
  const header = rtmsg.of({ family: family === 4 ? AF.INET : AF.INET6, dstLength: family === 4 ? 32 : 128 });
  let path: HostPath | undefined;
  session.ask(
    { type: RTM.GETROUTE, flags: 0, codec: routeMessage, value: { header, attrs: { dst: ip } } },
    routeMessage,
    ({ attrs }) => {
      if (attrs.oif !== undefined) path = { index: attrs.oif, source: attrs.prefSrc };
    },
  );
  return path;
}
