/**
 * Whose the devices and routes are.
 *
 * Ours without doubt are routes of our protocol, and devices that the state directory remembers, that carry such
 * routes, or that have this node's address. flanneld, started after us, goes on with our device and puts routes of
 * its own in the place of ours: then pods depend on it, and it is not ours to remove.
 *
 * @module
 */
import { type Prefix, prefixBase } from '../model/ip.ts';
import type { Lease } from '../model/lease.ts';
import { describe, type LinkObject, ROUTE_PROTOCOL, type RouteObject } from '../model/objects.ts';
import { foreignForm } from './device.ts';
import type { Findings, Left } from './findings.ts';
import type { RemovableObject } from './step.ts';

/** The protocol of flanneld's routes (`linux/rtnetlink.h`: RTPROT_BOOT), and of all that name none. */
const BOOT = 3;

/** What is to be done about the kernel. */
export interface KernelJudgement {
  /** In the order of their removal. */
  readonly objects: readonly RemovableObject[];
  readonly left: readonly Left[];
  /** The first route by which flanneld shows that this node is its own now. */
  readonly successor: RouteObject | undefined;
}

/** Judges what was found in the kernel. With `adopt`, what flanneld has left goes too. */
export function judgeKernel(findings: Findings, adopt: boolean): KernelJudgement {
  const { links, routes, entries } = findings.kernel;
  const ourDestinations = new Set(routes.filter(isOurRoute).map(({ dst }) => dst));
  const isSuccessors = (route: RouteObject) => route.protocol === BOOT && !ourDestinations.has(route.dst);
  const tunnels = routes.filter((route) => isSuccessors(route) && isTunnelRoute(route));
  const left: Left[] = [];
  const removed = new Set<string>();
  for (const link of links) {
    const reason = whyLinkStays(link, { findings, adopt, tunnels });
    if (reason === undefined) removed.add(link.name);
    else left.push({ what: `device ${link.name}`, why: reason, whose: 'others' });
  }
  const leasedTo = leasedRoutes(findings);
  const adopted = routes.filter((route) => leasedTo(route) && !removed.has(route.link));
  const goes = (route: RouteObject) =>
    removed.has(route.link) || (isOurRoute(route) && route.link !== '') || (adopt && leasedTo(route));
  if (!adopt) left.push(...adopted.map(leftByFlanneld));
  left.push(...routes.filter((route) => isOurRoute(route) && route.link === '').map(leftByNobody));
  const successor = adopt ? undefined : (tunnels[0] ?? adopted.find(isSuccessors));
  return {
    objects: [
      ...routes.filter(goes),
      ...entries.filter(({ link }) => removed.has(link)),
      ...links.filter(({ name }) => removed.has(name)),
    ],
    left,
    successor,
  };
}

function isOurRoute({ protocol }: RouteObject): boolean {
  return protocol === ROUTE_PROTOCOL;
}

/** flannel's VXLAN route leads to the subnet's first address, which no device has, over its device. */
function isTunnelRoute({ dst, gateway, onlink }: RouteObject): boolean {
  return onlink && gateway === prefixBase(dst);
}

interface LinkContext {
  readonly findings: Findings;
  readonly adopt: boolean;
  /** flanneld's routes over any device. */
  readonly tunnels: readonly RouteObject[];
}

function whyLinkStays(link: LinkObject, { findings, adopt, tunnels }: LinkContext): string | undefined {
  const foreign = foreignForm(link);
  if (foreign !== undefined) return foreign;
  if (adopt) return undefined;
  const tunnel = tunnels.find((route) => route.link === link.name);
  if (tunnel !== undefined) return `flanneld uses it or has left it (${describe(tunnel)}); --adopt takes it`;
  const { state, macs, kernel } = findings;
  const isKnown =
    state.links.includes(link.name) ||
    macs.has(link.mac) ||
    kernel.routes.some((route) => isOurRoute(route) && route.link === link.name);
  return isKnown
    ? undefined
    : 'nothing says that flannelette made it; if flanneld of this node has left it, --adopt takes it';
}

/** Tells whether a route is one that flanneld makes for a leased subnet, without a tunnel. */
function leasedRoutes({ leases }: Findings): (route: RouteObject) => boolean {
  const gateways = new Map<Prefix, string>();
  for (const { ipv4, ipv6 } of leases.kind === 'read' ? leases.peers : ([] as readonly Lease[])) {
    if (ipv4 !== undefined) gateways.set(ipv4.subnet, ipv4.publicIp);
    if (ipv6 !== undefined) gateways.set(ipv6.subnet, ipv6.publicIp);
  }
  return ({ dst, gateway, protocol }) =>
    protocol === BOOT && gateway !== undefined && gateways.get(dst) === gateway;
}

function leftByFlanneld(route: RouteObject): Left {
  return {
    what: describe(route),
    why: "its protocol is boot, as that of flanneld's routes, and a lease has this subnet and gateway; --adopt takes it",
    whose: 'others',
  };
}

function leftByNobody(route: RouteObject): Left {
  return {
    what: describe(route),
    why: `its protocol is ${ROUTE_PROTOCOL}, but it leads nowhere or over several gateways, which no route of flannelette does`,
    whose: 'others',
  };
}
