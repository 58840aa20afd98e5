/**
 * What leases lay claim to, of which there is one of each: subnets, and the MAC addresses of VTEPs. Whoever
 * came first keeps what is claimed twice. Public addresses are not claimed: a node that was renamed has two leases
 * for a day, and a lease that names another's address draws nobody's traffic but its own subnet's.
 *
 * @module
 */

import { HashIndex, hashText } from '../model/hash-index.ts';
import {
  FAMILIES,
  type Family,
  type Mac,
  type Prefix,
  prefixContains,
  prefixesOverlap,
  prefixLength,
} from '../model/ip.ts';
import { type Lease, type LeaseFamily, leaseFamily } from '../model/lease.ts';
import type { LeaseTable } from '../model/lease-table.ts';
import { type NetworkConfig, networkFamily } from '../model/network.ts';
import { PrefixLengths, type PrefixSet } from './prefix-lengths.ts';
import { quoted } from './printable.ts';

/** Who claims something, and when that lease was made among all others. */
export interface Claimant {
  readonly node: string;
  readonly order: number;
}

/** Who holds what another lease wants. */
export interface Clash {
  /** The peer that holds it, or `undefined` if this node does. */
  readonly holder: Claimant | undefined;
  /** In words, such as `IPv4: subnet '10.3.1.0/24' overlaps that of 'b'`. */
  readonly fault: string;
}

/** Where a lease stands, and when it was made. */
export interface ClaimOptions {
  /** Its row in the table of leases. */
  readonly row: number;
  readonly order: number;
}

/** What {@link Claims} are made of. */
export interface ClaimsOptions {
  /** This node's lease, whose claims come before all others. */
  readonly own: Lease | undefined;
  readonly network: NetworkConfig;
  /** Where the leases stand whose claims are added. */
  readonly leases: LeaseTable;
}

/**
 * The subnets and MACs in use, and who holds them. Nothing is kept but a hash and the holder's row: the rest
 * stands in the leases.
 */
export class Claims implements PrefixSet {
  readonly #own: Lease | undefined;
  readonly #network: NetworkConfig;
  readonly #leases: LeaseTable;
  readonly #holders = new HashIndex();
  /** By the rows of the leases. */
  #orders = new Float64Array(16);
  readonly #lengths = new PrefixLengths(this);

  constructor({ own, network, leases }: ClaimsOptions) {
    this.#own = own;
    this.#network = network;
    this.#leases = leases;
  }

  has(prefix: Prefix): boolean {
    return this.#holderOf(prefix) >= 0;
  }

  *prefixes(): Generator<Prefix> {
    for (const row of this.#leases.ordinals()) {
      const lease = this.#leases.at(row);
      if (lease === undefined) continue;
      for (const family of FAMILIES) {
        const subnet = leaseFamily(lease, family)?.subnet;
        // A lease may stand in the table before its claims are entered, or after they were given up.
        if (subnet !== undefined && this.has(subnet)) yield subnet;
      }
    }
  }

  /** What a family of a lease wants that is not to be had, if anything. */
  clash(lease: Lease, family: Family): Clash | undefined {
    const half = leaseFamily(lease, family);
    if (half === undefined) return undefined;
    const fault = this.#clashWithOwn(half, family);
    if (fault !== undefined) return { holder: undefined, fault: `IPv${family}: ${fault}` };
    const subnet = this.#lengths.overlapping(half.subnet);
    const neighbour = subnet === undefined ? undefined : this.#claimant(subnet);
    if (neighbour !== undefined) {
      const text = `IPv${family}: subnet '${half.subnet}' overlaps that of ${quoted(neighbour.node)}`;
      return { holder: neighbour, fault: text };
    }
    const twin = half.vtep === undefined ? undefined : this.#claimant(half.vtep.mac);
    if (twin === undefined) return undefined;
    return { holder: twin, fault: `IPv${family}: MAC '${half.vtep?.mac}' is that of ${quoted(twin.node)}` };
  }

  /** Enters the claims of a lease that stands in a row of the table and clashes with nothing. */
  add(lease: Lease, { row, order }: ClaimOptions): void {
    if (row >= this.#orders.length) {
      const larger = new Float64Array(Math.max(row + 1, this.#orders.length * 2));
      larger.set(this.#orders);
      this.#orders = larger;
    }
    this.#orders[row] = order;
    for (const family of FAMILIES) {
      const half = leaseFamily(lease, family);
      if (half === undefined) continue;
      this.#holders.insert(hashText(half.subnet), row);
      this.#lengths.add(half.subnet);
      if (half.vtep !== undefined) this.#holders.insert(hashText(half.vtep.mac), row);
    }
  }

  /** Gives up the claims of a lease that was added and still stands in the table. */
  delete(lease: Lease): void {
    const row = this.#leases.ordinalOf(lease.node);
    for (const family of FAMILIES) {
      const half = leaseFamily(lease, family);
      if (half === undefined) continue;
      this.#holders.remove(hashText(half.subnet), row);
      this.#lengths.delete(half.subnet);
      if (half.vtep !== undefined) this.#holders.remove(hashText(half.vtep.mac), row);
    }
  }

  /** The order that a lease was added with. */
  orderOf(lease: Lease): number {
    return this.#orders[this.#leases.ordinalOf(lease.node)] ?? 0;
  }

  #claimant(claim: Prefix | Mac): Claimant | undefined {
    const row = this.#holderOf(claim);
    const node = this.#leases.at(row)?.node;
    return node === undefined ? undefined : { node, order: this.#orders[row] ?? 0 };
  }

  #holderOf(claim: Prefix | Mac): number {
    return this.#holders.find(hashText(claim), (row) => {
      const lease = this.#leases.at(row);
      return lease !== undefined && (isClaimOf(lease.ipv4, claim) || isClaimOf(lease.ipv6, claim));
    });
  }

  #clashWithOwn(peer: LeaseFamily, family: Family): string | undefined {
    const own = this.#own === undefined ? undefined : leaseFamily(this.#own, family);
    const network = networkFamily(this.#network, family)?.network;
    // Where even our own address is in the pod network, the nodes' addresses were put there on purpose.
    const isApart = network !== undefined && !(own && prefixContains(network, own.publicIp));
    if (isApart && prefixContains(network, peer.publicIp))
      return `public address '${peer.publicIp}' is inside the pod network '${network}'`;
    if (own !== undefined) {
      if (prefixContains(peer.subnet, own.publicIp))
        return `subnet '${peer.subnet}' holds our public address '${own.publicIp}'`;
      if (peer.publicIp === own.publicIp) return `public address '${peer.publicIp}' is our own`;
      if (subnetsMeet(peer, own)) return `subnet '${peer.subnet}' overlaps ours ('${own.subnet}')`;
    }
    const mac = peer.vtep?.mac;
    const isOurs =
      mac !== undefined && (mac === this.#own?.ipv4?.vtep?.mac || mac === this.#own?.ipv6?.vtep?.mac);
    return isOurs ? `MAC '${mac}' is our own` : undefined;
  }
}

function isClaimOf(half: LeaseFamily | undefined, claim: Prefix | Mac): boolean {
  return half !== undefined && (half.subnet === claim || half.vtep?.mac === claim);
}

/** Whether two leases want the same thing. */
export function claimsMeet(a: Lease, b: Lease): boolean {
  for (const family of FAMILIES) {
    const one = leaseFamily(a, family);
    if (one === undefined) continue;
    const other = leaseFamily(b, family);
    if (other !== undefined && subnetsMeet(one, other)) return true;
    const mac = one.vtep?.mac;
    if (mac !== undefined && (mac === b.ipv4?.vtep?.mac || mac === b.ipv6?.vtep?.mac)) return true;
  }
  return false;
}

/** Whether two subnets overlap. Those of equal length, the rule, are compared as text. */
function subnetsMeet(a: LeaseFamily, b: LeaseFamily): boolean {
  if (prefixLength(a.subnet) === prefixLength(b.subnet)) return a.subnet === b.subnet;
  return prefixesOverlap(a.subnet, b.subnet);
}
