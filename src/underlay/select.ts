/**
 * The choice of the underlay interface: flannel's rules (`pkg/ipmatch`), and beyond them nodes without a default
 * route and families whose default routes differ.
 *
 * @module
 */
import { classify, type Family, familyOf, type Ip, parseIp } from '../model/ip.ts';
import { type Problem, problem } from '../model/problem.ts';
import { fail, ok, type Result } from '../model/result.ts';
import type { InterfaceChoice } from '../model/settings.ts';
import type { Underlay } from '../model/underlay.ts';
import type { OnLink } from './on-link.ts';
import type { HostAddress, HostLink, HostSnapshot } from './snapshot.ts';

/** Links that container software makes: never the way to other nodes unless named. */
const VIRTUAL = /^(flannel|cni|docker|br-|veth|virbr|kube|nodelocaldns|cali|tunl|lxc|podman)/;

/** What {@link selectUnderlay} is told. */
export interface Selection {
  readonly choice: InterfaceChoice;
  /** The enabled families, IPv4 first. */
  readonly families: readonly Family[];
  readonly snapshot: HostSnapshot;
  readonly onLink: OnLink;
  /** The name of the interface that is in use. */
  readonly current: string | undefined;
}

/** A link, the addresses that its choice has fixed, and why it was chosen. */
interface Found {
  readonly link: HostLink;
  readonly fixed: readonly Ip[];
  readonly why: string;
}

/** Chooses the interface, or says what is missing. A family without an address is left out of the result. */
export function selectUnderlay(selection: Selection): Result<Underlay, Problem> {
  const found = find(selection);
  if (!found.ok) return found;
  const { choice, families, onLink } = selection;
  const { link, fixed, why } = found.value;
  if (link.mtuBytes === 0) {
    return fail(problem('interface-missing', `Interface ${link.name} has no MTU`));
  }
  const own = (family: Family) =>
    families.includes(family) ? ownAddress({ link, fixed, family }, selection) : undefined;
  const [ipv4, ipv6] = [own(4), own(6)];
  if (ipv4 === undefined && ipv6 === undefined) {
    const wanted = families.map((family) => `IPv${family}`).join(' or ');
    return fail(problem('interface-no-address', `Interface ${link.name} has no usable ${wanted} address`));
  }
  const { index, name, mtuBytes } = link;
  return ok({
    name,
    index,
    mtuBytes,
    ipv4,
    ipv6,
    publicIpv4: ipv4 && (choice.publicIpv4 ?? ipv4),
    publicIpv6: ipv6 && (choice.publicIpv6 ?? ipv6),
    why,
    onLink,
    onLinkVersion: 0,
    routerLinks: routerLinks(selection.snapshot, link),
  });
}

/**
 * The links over which routers give the node its IPv6 default route; while it has none, those over which they may: at boot
 * the agent is often there before the first router has spoken.
 */
function routerLinks({ links, routes }: HostSnapshot, chosen: HostLink): readonly string[] {
  const defaults = routes.filter(({ dst }) => dst === '::/0');
  const told = new Set(defaults.filter(({ advertised }) => advertised).map(({ index }) => index));
  const isListening = (link: HostLink) =>
    defaults.length === 0 ? link.hardware || link === chosen : told.has(link.index);
  return links.filter(isListening).map(({ name }) => name);
}

function find(selection: Selection): Result<Found, Problem> {
  const { choice, snapshot } = selection;
  const tried: string[] = [];
  for (const name of choice.names) {
    const found = byName(name, `--iface=${name}`, selection);
    if (found !== undefined) return ok(found);
    tried.push(`--iface=${name}`);
  }
  for (const pattern of choice.patterns) {
    const found = byPattern(pattern, selection);
    if (found !== undefined) return ok(found);
    tried.push(`--iface-regex=${pattern.source}`);
  }
  if (choice.canReach !== undefined) {
    const { reach } = snapshot;
    const link = snapshot.links.find(({ index }) => index === reach?.index);
    const fixed = reach?.source === undefined ? [] : [reach.source];
    if (link !== undefined)
      return ok({ link, fixed, why: `has the route to ${choice.canReach} (--iface-can-reach)` });
    tried.push(`--iface-can-reach=${choice.canReach}`);
  }
  if (tried.length > 0) return fail(problem('interface-missing', `No interface matches ${tried.join(', ')}`));
  return byPublicAddress(selection) ?? byDefaultRoute(selection);
}

/** Without any `iface` option a public address names the interface that carries it. */
function byPublicAddress(selection: Selection): Result<Found, Problem> | undefined {
  const { publicIpv4, publicIpv6 } = selection.choice;
  const ip = publicIpv4 ?? publicIpv6;
  if (ip === undefined) return undefined;
  const option = publicIpv4 === undefined ? '--public-ipv6' : '--public-ip';
  const found = byName(ip, `${option}=${ip}`, selection);
  if (found !== undefined) return ok(found);
  return fail(
    problem(
      'interface-missing',
      `No interface has the address ${ip} of ${option}`,
      'Name the interface with --iface',
    ),
  );
}

function byName(name: string, option: string, { snapshot }: Selection): Found | undefined {
  const wanted = parseIp(name);
  const address = snapshot.addresses.find(({ ip }) => ip === wanted);
  const link = snapshot.links.find((each) => (address ? each.index === address.index : each.name === name));
  if (link === undefined) return undefined;
  return address === undefined
    ? { link, fixed: [], why: `named by ${option}` }
    : { link, fixed: [address.ip], why: `carries the address of ${option}` };
}

/** First an interface whose address of each enabled family matches, then one whose name does. */
function byPattern(pattern: RegExp, { snapshot, families }: Selection): Found | undefined {
  const option = `--iface-regex=${pattern.source}`;
  for (const link of snapshot.links) {
    const fixed = families.map(
      (family) => usable(snapshot, link, family).find(({ ip }) => pattern.test(ip))?.ip,
    );
    const ips = fixed.filter((ip) => ip !== undefined);
    if (ips.length === families.length)
      return { link, fixed: ips, why: `has an address that ${option} matches` };
  }
  const link = snapshot.links.find(({ name }) => pattern.test(name));
  return link && { link, fixed: [], why: `has a name that ${option} matches` };
}

function byDefaultRoute(selection: Selection): Result<Found, Problem> {
  const { snapshot, families } = selection;
  for (const family of families) {
    const everything = family === 4 ? '0.0.0.0/0' : '::/0';
    const routes = snapshot.routes.filter(({ dst }) => dst === everything);
    const route = routes.sort((a, b) => a.metric - b.metric)[0];
    const link = snapshot.links.find(({ index }) => index === route?.index);
    if (link !== undefined) return ok({ link, fixed: [], why: `has the IPv${family} default route` });
  }
  // A default route that goes for a moment (a cable, a lease) must not move the node to another network.
  const chosen = snapshot.links.find(({ name }) => name === selection.current);
  if (chosen !== undefined) {
    return ok({ link: chosen, fixed: [], why: 'was chosen before; there is no default route now' });
  }
  const candidates = snapshot.links
    .filter((link) => link.up && !link.loopback && !VIRTUAL.test(link.name))
    .map((link) => ({ link, worth: worthOf(snapshot, link, families) }))
    .filter(({ worth }) => worth > 0)
    .sort((a, b) => b.worth - a.worth)
    .map(({ link }) => link);
  const [link] = candidates;
  if (link === undefined) {
    return fail(problem('interface-missing', 'No default route and no interface with a usable address'));
  }
  const others = candidates.slice(1).map(({ name }) => name);
  const why =
    others.length === 0
      ? 'is the only one with a usable address; there is no default route'
      : `has the best addresses (others: ${others.join(', ')}); there is no default route`;
  return ok({ link, fixed: [], why });
}

/** Global addresses of every enabled family are best; link-local ones are better than none. */
function worthOf(snapshot: HostSnapshot, link: HostLink, families: readonly Family[]): number {
  let worth = 0;
  for (const family of families) {
    const [best] = usable(snapshot, link, family);
    if (best !== undefined) worth += classify(best.ip) === 'global' ? 100 : 1;
  }
  return worth;
}

/** The address that the choice has fixed, else the public one if the link carries it, else the best there is. */
function ownAddress(
  { link, fixed, family }: { link: HostLink; fixed: readonly Ip[]; family: Family },
  { choice, snapshot }: Selection,
): Ip | undefined {
  const chosen = fixed.find((ip) => familyOf(ip) === family);
  if (chosen !== undefined) return chosen;
  const addresses = usable(snapshot, link, family);
  const publicIp = family === 4 ? choice.publicIpv4 : choice.publicIpv6;
  return (addresses.find(({ ip }) => ip === publicIp) ?? addresses[0])?.ip;
}

/** Usable addresses, best first: global before link-local, permanent before not, stable before temporary. */
function usable({ addresses }: HostSnapshot, link: HostLink, family: Family): HostAddress[] {
  const rank = ({ ip, permanent, temporary }: HostAddress) =>
    (classify(ip) === 'global' ? 0 : 4) + (permanent ? 0 : 2) + (temporary ? 1 : 0);
  return addresses
    .filter(({ index, ip, deprecated }) => index === link.index && familyOf(ip) === family && !deprecated)
    .filter(({ ip }) => ['global', 'link-local'].includes(classify(ip)))
    .map((address) => ({ address, rank: rank(address) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ address }) => address);
}

/** Whether two choices are of the same interface with the same addresses. */
export function sameInterface(a: Underlay, b: Underlay): boolean {
  const { onLinkVersion, routerLinks } = a;
  return sameUnderlay(a, { ...b, onLinkVersion, routerLinks });
}

/** Whether two choices lead to the same plan. */
export function sameUnderlay(a: Underlay, b: Underlay): boolean {
  const fields = [
    'name',
    'index',
    'mtuBytes',
    'ipv4',
    'ipv6',
    'publicIpv4',
    'publicIpv6',
    'onLinkVersion',
  ] as const;
  return (
    fields.every((field) => a[field] === b[field]) && a.routerLinks.join('/') === b.routerLinks.join('/')
  );
}
