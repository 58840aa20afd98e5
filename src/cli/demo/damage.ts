/**
 * What the demo breaks, and how it sees that it was repaired.
 *
 * @module
 */
import { type Family, familyOf } from '../../model/ip.ts';
import type { FdbObject, RouteObject } from '../../model/objects.ts';
import type { DemoBackend } from './arguments.ts';
import { type Announcements, listen } from './events.ts';
import { bootRoute } from './rtnl.ts';
import { ipv6Readiness } from './settle.ts';
import { type NodeSpace, UNDERLAY_LINK, underlayAddress } from './topology.ts';
import { readView, type View, viewLines } from './view.ts';

/** What is not repaired by then counts as not repaired. */
const REPAIR_TIMEOUT_MS = 10_000;
/** The kernel announces all changes but those of multicast groups, so look again after this long. */
const LOOK_INTERVAL_MS = 5;
/** An address of the underlay that no node has. */
const NOBODY = 254;

/** One thing to break on one node. */
export interface Damage {
  readonly node: NodeSpace;
  /** What was done, in words: `deleted flannel.1`. */
  readonly what: string;
  /** Does it. */
  readonly inflict: () => void;
}

/** What became of a damage. */
export interface Repair {
  readonly node: NodeSpace;
  readonly what: string;
  /** From just before the damage until the kernel held again all that it had; `undefined` if it did not. */
  readonly ms: number | undefined;
}

/** How the nodes carry pod traffic. */
export interface DamageOptions {
  readonly backend: DemoBackend;
  readonly families: readonly Family[];
}

type Planner = (node: NodeSpace, view: View) => Damage | undefined;

/**
 * Plans the damages: each is made out only when the one before is repaired, since it looks for what is there.
 * What a network of one or two nodes does not have is left out.
 */
export function planDamages(
  nodes: readonly NodeSpace[],
  { backend, families }: DamageOptions,
): (() => Damage | undefined)[] {
  const [first] = nodes;
  if (first === undefined) return [];
  const second = nodes[1] ?? first;
  const third = nodes[2] ?? first;
  const device = families.includes(4) ? 'flannel.1' : 'flannel-v6.1';
  const plans: [NodeSpace, Planner][] =
    backend === 'vxlan'
      ? [
          [first, (node) => deleteDevice(node, device)],
          [second, (node, view) => deleteRoute(node, findRoute(view, device))],
          [second, (node, view) => deleteFdb(node, { nodes, entry: findFdb(view, device) })],
          [third, (node) => setDown(node, device)],
        ]
      : [
          [first, (node, view) => deleteRoute(node, findRoute(view, UNDERLAY_LINK))],
          [second, (node, view) => divertRoute(node, findRoute(view, UNDERLAY_LINK))],
          [third, (node) => flap(node)],
        ];
  return plans.map(
    ([node, plan]) =>
      () =>
        plan(node, overlayOf(node)),
  );
}

/** Inflicts the damage and watches until all is as it was. */
export async function inflict({ node, what, inflict }: Damage): Promise<Repair> {
  using announcements = listen(node.netns);
  const before = stateOf(node);
  // From before the request: the agent may be at work before the kernel has told us that it is done.
  const startMs = performance.now();
  inflict();
  const repaired = await untilRestored(node, {
    before,
    announcements,
    deadlineMs: startMs + REPAIR_TIMEOUT_MS,
  });
  return { node, what, ms: repaired ? performance.now() - startMs : undefined };
}

async function untilRestored(
  node: NodeSpace,
  wanted: { before: Set<string>; announcements: Announcements; deadlineMs: number },
): Promise<boolean> {
  while (!wanted.before.isSubsetOf(stateOf(node))) {
    if (performance.now() > wanted.deadlineMs) return false;
    await wanted.announcements.next(LOOK_INTERVAL_MS);
  }
  return true;
}

/** All that a repair has to bring back: ours, and what the kernel itself needs to reach neighbours again. */
function stateOf(node: NodeSpace): Set<string> {
  return viewLines(overlayOf(node)).union(ipv6Readiness(node.netns, UNDERLAY_LINK));
}

/** The agent's devices with all that stands on them, and the routes to other nodes' pods. */
function overlayOf({ rtnl }: NodeSpace): View {
  return readView(rtnl, (link) => link.startsWith('flannel'));
}

function deleteDevice(node: NodeSpace, device: string): Damage {
  return { node, what: `deleted ${device}`, inflict: () => node.rtnl.deleteLink(device) };
}

function setDown(node: NodeSpace, device: string): Damage {
  return { node, what: `set ${device} down`, inflict: () => node.rtnl.setLink(device, { up: false }) };
}

function deleteRoute(node: NodeSpace, route: RouteObject | undefined): Damage | undefined {
  if (route === undefined) return undefined;
  return { node, what: `deleted the route to ${route.dst}`, inflict: () => node.rtnl.delete(route) };
}

function deleteFdb(
  node: NodeSpace,
  { nodes, entry }: { nodes: readonly NodeSpace[]; entry: FdbObject | undefined },
): Damage | undefined {
  if (entry === undefined) return undefined;
  const isPeer = ({ number }: NodeSpace) => underlayAddress(number, familyOf(entry.dst)) === entry.dst;
  const what = `deleted the FDB entry of ${nodes.find(isPeer)?.name ?? entry.dst}`;
  return { node, what, inflict: () => node.rtnl.delete(entry) };
}

function divertRoute(node: NodeSpace, route: RouteObject | undefined): Damage | undefined {
  if (route === undefined) return undefined;
  const { dst, link } = route;
  const wrong = bootRoute({ dst, link, gateway: underlayAddress(NOBODY, familyOf(dst)) });
  const what = `diverted the route to ${dst}`;
  return { node, what, inflict: () => node.rtnl.add(wrong, 'replace') };
}

function flap(node: NodeSpace): Damage {
  const inflict = () => {
    node.rtnl.setLink(UNDERLAY_LINK, { up: false });
    node.rtnl.setLink(UNDERLAY_LINK, { up: true });
  };
  return { node, what: `took ${UNDERLAY_LINK} down and up`, inflict };
}

function findRoute({ objects }: View, link: string): RouteObject | undefined {
  return objects.filter((object) => object.kind === 'route').find((route) => route.link === link);
}

function findFdb({ objects }: View, link: string): FdbObject | undefined {
  return objects.filter((object) => object.kind === 'fdb').find((entry) => entry.link === link);
}
