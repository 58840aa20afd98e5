/**
 * From the hostPorts of all containers to the tables of nf_tables that make them, with the meaning of the reference plugin
 * `portmap`: what is sent to a port of an address of the node goes to the container, also from the node itself; what would
 * not find its way back is masqueraded, that is what comes from the container's subnet or, over IPv4, from 127.0.0.1.
 *
 * @module
 */
import type { HostPorts, PortForward, PortMap, PortMapping, PortTable } from '../model/host-ports.ts';
import { FAMILIES, type Family, familyOf, type Ip, type Prefix, parsePrefix, prefixOf } from '../model/ip.ts';
import type { AddressMatch, TrafficRule } from '../model/traffic-rules.ts';

/** A table for each family that has a port; a function of its argument, whatever the order. */
export function planHostPorts(all: readonly HostPorts[]): readonly PortTable[] {
  const ordered = [...all].sort((a, b) => compare(commentOf(a), commentOf(b)));
  return FAMILIES.flatMap((family) => {
    const marks = [...new Set(ordered.map(({ mark }) => mark))].sort((a, b) => a - b);
    const maps = marks.flatMap((mark) => mapsOf(ordered, { family, mark }));
    const ofPorts = maps.length === 0 ? [] : masqueradeRules(ordered, family);
    const masquerade = [...ofPorts, ...outboundRules(ordered, family)];
    if (maps.length === 0 && masquerade.length === 0) return [];
    // A port of one address goes before the same port of all.
    maps.sort((a, b) => Number(b.byAddress) - Number(a.byAddress));
    const guard = family === 4 && ordered.some(wantsLocalnet);
    return [{ family, maps, masquerade, guard }];
  });
}

/** Whether the node reaches one of the ports by 127.0.0.1, which the link to the container has to be opened for. */
export function wantsLocalnet({ addresses, mappings, mark }: HostPorts): boolean {
  if (mark === 0 || !addresses.some(({ ip }) => familyOf(ip) === 4)) return false;
  return mappings.some(({ hostIp = ANY[4] }) => hostIp === ANY[4] || hostIp.startsWith('127.'));
}

/** The port of another that one of `wanted` would take away, and whose it is. */
export function findConflict(
  wanted: HostPorts,
  others: readonly HostPorts[],
): { mapping: PortMapping; holder: HostPorts } | undefined {
  for (const holder of others)
    for (const mapping of wanted.mappings) {
      const same = holder.mappings.filter((theirs) => overlap(mapping, theirs));
      const isShared = (family: Family) =>
        serves(wanted, mapping, family) && same.some((theirs) => serves(holder, theirs, family));
      if (FAMILIES.some(isShared)) return { mapping, holder };
    }
  return undefined;
}

/** Whether two mappings are for the same port of an address. */
export function overlap(a: PortMapping, b: PortMapping): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort) return false;
  const { hostIp: one } = a;
  const { hostIp: other } = b;
  if (one === undefined || other === undefined) return true;
  if (familyOf(one) !== familyOf(other)) return false;
  return one === other || isAny(one) || isAny(other);
}

/** Whether what is sent to a port of an address of the node, of the mapping's protocol, is the mapping's. */
export function isFor({ hostPort, hostIp }: PortMapping, { to, port }: { to: Ip; port: number }): boolean {
  if (hostPort !== port) return false;
  return hostIp === undefined || hostIp === to || (isAny(hostIp) && familyOf(hostIp) === familyOf(to));
}

/** NFTNL_UDATA_COMMENT_MAXLEN of libnftnl, with a NUL. */
const COMMENT_LENGTH_MAX = 127;

/** RFC 5771, RFC 4291. */
const MULTICAST: Readonly<Record<Family, string>> = { 4: '224.0.0.0/4', 6: 'ff00::/8' };

const ANY: Readonly<Record<Family, string>> = { 4: '0.0.0.0', 6: '::' };

function isAny(ip: Ip): boolean {
  return ip === ANY[familyOf(ip)];
}

/** Whether a mapping is for addresses of a family, which the container has to have. */
function serves({ addresses }: HostPorts, { hostIp }: PortMapping, family: Family): boolean {
  const isThere = addresses.some(({ ip }) => familyOf(ip) === family);
  return isThere && (hostIp === undefined || familyOf(hostIp) === family);
}

function commentOf({ containerId, ifname }: HostPorts): string {
  return `${containerId} ${ifname}`.slice(0, COMMENT_LENGTH_MAX);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function mapsOf(all: readonly HostPorts[], { family, mark }: { family: Family; mark: number }): PortMap[] {
  const forwards = all.filter((each) => each.mark === mark).flatMap((each) => forwardsOf(each, family));
  const suffix = mark === 0 ? '' : `-${mark.toString(16)}`;
  return [true, false].flatMap((byAddress) => {
    const mine = firstOfEach(forwards.filter(({ address }) => (address !== undefined) === byAddress));
    const name = `${byAddress ? 'addresses' : 'ports'}${suffix}`;
    return mine.length === 0 ? [] : [{ name, byAddress, mark, forwards: mine }];
  });
}

/** No port leads to two: whatever the files say, the kernel takes the rest. */
function firstOfEach(forwards: readonly PortForward[]): PortForward[] {
  const known = new Set<string>();
  return forwards.filter(({ protocol, address, port }) => {
    const key = `${protocol} ${address} ${port}`;
    return !known.has(key) && known.add(key);
  });
}

function forwardsOf(ports: HostPorts, family: Family): PortForward[] {
  const { ip: to } = ports.addresses.find(({ ip }) => familyOf(ip) === family) ?? {};
  if (to === undefined) return [];
  return ports.mappings
    .filter((mapping) => serves(ports, mapping, family))
    .map(({ protocol, hostPort, containerPort, hostIp }) => ({
      protocol,
      address: hostIp === undefined || isAny(hostIp) ? undefined : hostIp,
      port: hostPort,
      to,
      toPort: containerPort,
      comment: commentOf(ports),
    }));
}

function masqueradeRules(all: readonly HostPorts[], family: Family): TrafficRule[] {
  const rules = new Map<string, TrafficRule>();
  const add = (rule: TrafficRule) => rules.set(JSON.stringify(rule), rule);
  const marked = all.filter(({ mark }) => mark !== 0);
  for (const { addresses, mark, masqueradeAll } of marked)
    for (const { ip, length } of addresses) {
      if (familyOf(ip) !== family) continue;
      const destination = inside(prefixOf(ip, length));
      const source = masqueradeAll ? {} : { source: destination };
      add({ mark, ...source, destination, verdict: 'masquerade' });
    }
  const loopback = parsePrefix('127.0.0.0/8');
  if (family === 4 && loopback !== undefined)
    for (const { mark } of marked) add({ mark, source: inside(loopback), verdict: 'masquerade' });
  return [...rules.values()];
}

/** The same for all pods of a subnet: as many as there are subnets, not pods. They come last, for they end the chain. */
function outboundRules(all: readonly HostPorts[], family: Family): TrafficRule[] {
  const addresses = all.filter(({ outbound }) => outbound).flatMap((each) => each.addresses);
  const own = addresses.filter(({ ip }) => familyOf(ip) === family);
  const subnets = [...new Set(own.map(({ ip, length }) => prefixOf(ip, length)))].sort(compare);
  const multicast = parsePrefix(MULTICAST[family]);
  return subnets.flatMap((subnet): TrafficRule[] => [
    ...[subnet, ...(multicast === undefined ? [] : [multicast])].map((prefix) => ({
      source: inside(subnet),
      destination: inside(prefix),
      verdict: 'return' as const,
    })),
    { source: inside(subnet), verdict: 'masquerade' },
  ]);
}

function inside(prefix: Prefix): AddressMatch {
  return { prefix, not: false };
}
