/**
 * Leases: which node holds which subnet, and how it is reached.
 *
 * @module
 */
import type { Family, Ip, Mac, Prefix } from './ip.ts';

/** What a VXLAN node tells its peers, per family (flannel's `BackendData`). */
export interface Vtep {
  /** VXLAN network identifier. */
  readonly vni: number;
  /** The address of the node's VTEP device: inner frames to it carry this destination. */
  readonly mac: Mac;
}

/** One family's half of a lease. */
export interface LeaseFamily {
  readonly subnet: Prefix;
  /** Where other nodes reach this one. */
  readonly publicIp: Ip;
  /** Present only if the node's backend is VXLAN. */
  readonly vtep: Vtep | undefined;
}

/** One node's share of the network, reduced to what a peer's kernel objects are planned from. */
export interface Lease {
  /** The node's name: the lease's identity. */
  readonly node: string;
  /** In lower case, as flannel matches it. */
  readonly backendType: string;
  readonly ipv4: LeaseFamily | undefined;
  readonly ipv6: LeaseFamily | undefined;
}

/** A lease that is not used, and why. */
export interface RefusedLease {
  readonly node: string;
  readonly reason: string;
}

/** Leases by node name: a `Map`, or what takes less room. */
export type LeaseLookup = Pick<ReadonlyMap<string, Lease>, 'size' | 'get' | 'has'> & {
  keys(): Iterable<string>;
  /** Name, backend type and for each family subnet, public address, VNI and MAC, with tabs between them. */
  lines?(): Iterable<string>;
};

/** All peers' leases, as far as the store has told them. */
export interface LeaseSet {
  /** The own node is not among them. */
  readonly peers: LeaseLookup;
  readonly refused: readonly RefusedLease[];
  /** Whether a complete list was read: before that nothing may be deleted. */
  readonly synced: boolean;
}

/** The half of a lease that a family names. */
export function leaseFamily(lease: Lease, family: Family): LeaseFamily | undefined {
  return family === 4 ? lease.ipv4 : lease.ipv6;
}

/** Whether two leases say the same. */
export function sameLease(a: Lease, b: Lease): boolean {
  return (
    a.node === b.node &&
    a.backendType === b.backendType &&
    sameFamily(a.ipv4, b.ipv4) &&
    sameFamily(a.ipv6, b.ipv6)
  );
}

function sameFamily(a: LeaseFamily | undefined, b: LeaseFamily | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.subnet === b.subnet &&
    a.publicIp === b.publicIp &&
    a.vtep?.mac === b.vtep?.mac &&
    a.vtep?.vni === b.vtep?.vni
  );
}

/** The addresses that peers are reached by. */
export function* peerAddresses(peers: LeaseLookup | undefined): Generator<Ip> {
  for (const node of peers?.keys() ?? []) {
    const { ipv4, ipv6 } = peers?.get(node) ?? {};
    if (ipv4 !== undefined) yield ipv4.publicIp;
    if (ipv6 !== undefined) yield ipv6.publicIp;
  }
}
