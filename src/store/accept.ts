/**
 * Whether a lease out of a store is sane: one wrong lease must harm nobody but its own node, so what looks
 * like a slip or like an attack is refused with a reason, family by family.
 *
 * @module
 */
import {
  classify,
  type Family,
  familyOf,
  type Ip,
  isStationMac,
  type Mac,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixCovers,
} from '../model/ip.ts';
import type { Lease, LeaseFamily, Vtep } from '../model/lease.ts';
import { type NetworkConfig, networkFamily } from '../model/network.ts';
import { isNodeName } from '../model/node-name.ts';
import { fail, ok, type Result } from '../model/result.ts';
import type { FamilyAttributes, LeaseAttributes } from './lease-attributes.ts';
import { quoted } from './printable.ts';

/** A lease as a store holds it, before anybody has judged it. */
export interface RawLease {
  readonly node: string;
  /** Its place in the order in which the store's leases were made: the lower came first. */
  readonly order: number;
  /** Such as `10.42.1.0/24`; `undefined` if the lease has none of this family. */
  readonly subnet: string | undefined;
  readonly subnetV6: string | undefined;
  /** What the holder tells its peers, or why that is of no use. */
  readonly attributes: Result<LeaseAttributes, string>;
}

/** What is left of a lease once its faults are taken out. */
export interface Judgement {
  /** `undefined` if no family is sound. */
  readonly lease: Lease | undefined;
  /** Why the lease, or a family of it, is refused. */
  readonly fault: string | undefined;
}

const ZERO_MAC = '00:00:00:00:00:00';

/**
 * Judges a lease by itself, against the configuration but without regard to other leases. A family that is
 * not enabled here is dropped without a word if the other is sound.
 */
export function judgeLease(raw: RawLease, network: NetworkConfig): Judgement {
  if (!isNodeName(raw.node)) return refused(`Node name ${quoted(raw.node)} is not a name`);
  if (!raw.attributes.ok) return refused(raw.attributes.error);
  const attributes = raw.attributes.value;
  const backendType = network.backend.type;
  if (attributes.backendType !== backendType) {
    return refused(`Backend type ${quoted(attributes.backendType)} is not ours ('${backendType}')`);
  }
  const ipv4 = judgeFamily({ family: 4, subnet: raw.subnet, attributes: attributes.ipv4, network });
  const ipv6 = judgeFamily({ family: 6, subnet: raw.subnetV6, attributes: attributes.ipv6, network });
  const lease: Lease = {
    node: raw.node,
    backendType,
    ipv4: ipv4.ok ? ipv4.value : undefined,
    ipv6: ipv6.ok ? ipv6.value : undefined,
  };
  const fault = joinFaults(ipv4.ok ? undefined : ipv4.error, ipv6.ok ? undefined : ipv6.error);
  if (lease.ipv4 !== undefined || lease.ipv6 !== undefined) return { lease, fault };
  return refused(fault ?? 'It has no subnet of a family that is enabled here');
}

/** Two reasons, either of which may be missing, as one. */
export function joinFaults(a: string | undefined, b: string | undefined): string | undefined {
  return a === undefined || b === undefined ? (a ?? b) : `${a}; ${b}`;
}

/** The public addresses that name no single other machine. */
const BAD_CLASSES: ReadonlySet<string> = new Set(['unspecified', 'multicast', 'loopback', 'broadcast']);

/** Of IPv4, "this network" and the former class E, in which no machine is reached (RFC 6890). */
function isReserved(ip: Ip): boolean {
  if (familyOf(ip) === 6) return false;
  const first = Number.parseInt(ip, 10);
  return first === 0 || first >= 240;
}

interface FamilyCase {
  readonly family: Family;
  readonly subnet: string | undefined;
  readonly attributes: FamilyAttributes;
  readonly network: NetworkConfig;
}

/** One half of the lease, `undefined` if it is absent or not enabled here, or its fault. */
function judgeFamily(half: FamilyCase): Result<LeaseFamily | undefined, string> {
  const range = networkFamily(half.network, half.family);
  if (range === undefined || half.subnet === undefined) return ok(undefined);
  const { publicIp, fault } = half.attributes;
  const subnet = judgeSubnet(half.subnet, range.network);
  if (!subnet.ok) return fail(`IPv${half.family}: ${subnet.error}`);
  if (fault !== undefined) return fail(`IPv${half.family}: ${fault}`);
  if (publicIp === undefined) return fail(`IPv${half.family}: no public address`);
  const kind = classify(publicIp);
  if (BAD_CLASSES.has(kind)) return fail(`IPv${half.family}: public address '${publicIp}' is ${kind}`);
  if (isReserved(publicIp)) return fail(`IPv${half.family}: public address '${publicIp}' is reserved`);
  if (prefixContains(subnet.value, publicIp))
    return fail(`IPv${half.family}: public address '${publicIp}' is inside its own subnet '${subnet.value}'`);
  const vtep = judgeVtep(half.attributes.vtep, half.network);
  if (!vtep.ok) return fail(`IPv${half.family}: ${vtep.error}`);
  return ok({ subnet: subnet.value, publicIp, vtep: vtep.value });
}

function judgeSubnet(text: string, network: Prefix): Result<Prefix, string> {
  const subnet = parsePrefix(text);
  if (subnet === undefined) return fail(`subnet ${quoted(text)} is not a network`);
  if (familyOf(subnet) !== familyOf(network) || !prefixCovers(network, subnet)) {
    return fail(`subnet '${subnet}' is outside of the network '${network}'`);
  }
  if (subnet === network) return fail(`subnet '${subnet}' is the whole network`);
  return ok(subnet);
}

function judgeVtep(vtep: Vtep | undefined, network: NetworkConfig): Result<Vtep | undefined, string> {
  if (network.backend.type !== 'vxlan') return ok(undefined);
  if (vtep === undefined) return fail('no VXLAN backend data');
  if (vtep.vni !== network.backend.vni) return fail(`VNI ${vtep.vni} is not ours (${network.backend.vni})`);
  const fault = macFault(vtep.mac);
  return fault === undefined ? ok(vtep) : fail(fault);
}

function macFault(mac: Mac): string | undefined {
  if (isStationMac(mac)) return undefined;
  return `MAC '${mac}' is ${mac === ZERO_MAC ? 'zero' : 'multicast'}`;
}

function refused(fault: string): Judgement {
  return { lease: undefined, fault };
}
