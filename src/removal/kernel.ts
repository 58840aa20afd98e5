/**
 * Whose the devices and routes are.
 *
 * Ours without doubt are routes of our protocol, and devices that the state directory remembers, that carry such
 * routes, or that have this node's address. flanneld, started after us, goes on with our device and puts routes of
 * its own in the place of ours: then pods depend on it, and it is not ours to remove.
 *
 * @module
 */
import { isPortTable } from '../model/host-ports.ts';
import { type Prefix, prefixBase, prefixCovers } from '../model/ip.ts';
import type { Lease } from '../model/lease.ts';
import {
  describe,
  isOwnBlackhole,
  type LinkObject,
  ROUTE_PROTOCOL,
  type RouteObject,
} from '../model/objects.ts';
import { isDispensable, type TableObject, tableAddress } from '../model/traffic-rules.ts';
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

/** A device that is not removed. */
interface Staying extends Pick<Left, 'why' | 'whose'> {
  readonly link: LinkObject;
}

/** Judges what was found in the kernel. With `adopt`, what flanneld has left goes too. */
export function judgeKernel(findings: Findings, adopt: boolean): KernelJudgement {
  const { links, routes, entries } = findings.kernel;
  const ourDestinations = new Set(routes.filter(isOurRoute).map(({ dst }) => dst));
  const boots = routes.filter(({ protocol }) => protocol === BOOT);
  const isInPlaceOfOurs = ({ dst }: RouteObject) => !ourDestinations.has(dst);
  const tunnels = boots.filter((route) => isInPlaceOfOurs(route) && isTunnelRoute(route));
  const staying = links.flatMap((link): Staying[] => {
    const why = whyLinkStays(link, { findings, adopt, tunnels });
    if (why !== undefined) return [{ link, why, whose: 'others' }];
    const above = findings.above.get(link.name) ?? [];
    if (above.length === 0) return [];
    return [
      { link, why: `${above.join(', ')} on it would go with it; remove that first`, whose: 'ours' } as const,
    ];
  });
  const stay = new Set(staying.map(({ link }) => link.name));
  const removed = new Set(links.map(({ name }) => name).filter((name) => !stay.has(name)));
  // What stands on a device shares its fate.
  const elsewhere = boots.filter(({ link }) => !removed.has(link) && !stay.has(link));
  const isLeased = leasedRoutes(findings);
  const leased = elsewhere.filter(isLeased);
  const strays = elsewhere.filter((route) => !isLeased(route) && isPodRoute(route, findings.networks));
  const ours = routes.filter((route) => isOurRoute(route) && !removed.has(route.link));
  const isShaped = (route: RouteObject) => route.link !== '' || isOwnBlackhole(route);
  const shaped = ours.filter(isShaped);
  const shapeless = ours.filter((route) => !isShaped(route));
  const witnesses = findings.leases.kind === 'read' ? leased : strays;
  const successor = adopt ? undefined : (tunnels[0] ?? witnesses.find(isInPlaceOfOurs));
  const rules = judgeTables(findings, { adopt, successor });
  return {
    objects: [
      ...routes.filter(({ link }) => removed.has(link)),
      ...shaped,
      ...(adopt ? leased : []),
      ...entries.filter(({ link }) => removed.has(link)),
      ...links.filter(({ name }) => removed.has(name)),
      ...rules.objects,
      ...findings.kernel.passages,
    ],
    left: [
      ...staying.map(({ link, why, whose }): Left => ({ what: `device ${link.name}`, why, whose })),
      ...(adopt ? [] : leased.map((route) => leftRoute(route, FLANNELDS))),
      ...strays.map((route) => leftRoute(route, PERHAPS_FLANNELDS)),
      ...shapeless.map(({ dst }): Left => ({ what: `route ${dst}`, why: SHAPELESS, whose: 'others' })),
      ...rules.left,
    ],
    successor,
  };
}

/**
 * Ours are those whose mark is masked, as in none of flanneld's. Those that only accept are alike in both: they go too,
 * since nothing depends on them, unless another table shows that flanneld has made them.
 */
function judgeTables(
  { kernel, flanneld }: Findings,
  { adopt, successor }: { readonly adopt: boolean; readonly successor: RouteObject | undefined },
): { readonly objects: readonly TableObject[]; readonly left: readonly Left[] } {
  const isFlannelds = kernel.tables.some(hasForeignRule);
  const whyStays = (table: TableObject): string | undefined => {
    if (adopt) return undefined;
    if (flanneld !== undefined) return flanneldRuns(flanneld);
    if (successor !== undefined)
      return `flanneld uses it or has left it (${describe(successor)}); --adopt takes it`;
    if (isPortTable(table)) return undefined;
    const isOurs = hasMark(table) || (table.chains.length > 0 && isDispensable(table) && !isFlannelds);
    return isOurs ? undefined : FLANNELDS_TABLE;
  };
  const objects = kernel.tables.filter((table) => whyStays(table) === undefined);
  const left = kernel.tables.flatMap((table): Left[] => {
    const why = whyStays(table);
    return why === undefined ? [] : [{ what: `table ${tableAddress(table)}`, why, whose: 'others' }];
  });
  return { objects, left };
}

function hasMark({ chains }: TableObject): boolean {
  return chains.some(({ rules }) => rules.some((rule) => 'mark' in rule));
}

function hasForeignRule({ chains }: TableObject): boolean {
  return chains.some(({ rules }) => rules.some((rule) => 'foreign' in rule));
}

const FLANNELDS_TABLE =
  'it has rules as flanneld makes them; if flanneld of this node has left it, --adopt takes it';
const FLANNELDS = "it is of protocol boot, as flanneld's are, and leads to a leased subnet; --adopt takes it";
const PERHAPS_FLANNELDS =
  'it is of protocol boot and leads into the pod network, but no lease that can be read has this subnet and gateway; if nobody needs it, remove it by hand';
const SHAPELESS = `it is of protocol ${ROUTE_PROTOCOL}, but leads nowhere or over several gateways, as no route of flannelette does`;

function leftRoute(route: RouteObject, why: string): Left {
  return { what: describe(route), why, whose: 'others' };
}

function isOurRoute({ protocol }: RouteObject): boolean {
  return protocol === ROUTE_PROTOCOL;
}

/** flannel's VXLAN route leads to the subnet's first address, which no device has, over its device. */
function isTunnelRoute({ dst, gateway, onlink }: RouteObject): boolean {
  return onlink && gateway === prefixBase(dst);
}

/** Why nothing is taken that a running flanneld may use. */
export function flanneldRuns(flanneld: string): string {
  return `${flanneld} runs and uses it, or will`;
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
  if (findings.flanneld !== undefined) return flanneldRuns(findings.flanneld);
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
  return ({ dst, gateway }) => gateway !== undefined && gateways.get(dst) === gateway;
}

/** Whether a route leads over a gateway to a part of the pod network. */
function isPodRoute({ dst, gateway }: RouteObject, networks: readonly Prefix[]): boolean {
  return gateway !== undefined && networks.some((network) => prefixCovers(network, dst));
}
