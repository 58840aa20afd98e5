/**
 * What leases lay claim to, of which there is one of each: subnets, and the MAC addresses of VTEPs. Whoever
 * came first keeps what is claimed twice.
 *
 * @module
 */
import { FAMILIES, type Family, type Mac, type Prefix, prefixesOverlap, prefixLength } from '../model/ip.ts';
import { type Lease, type LeaseFamily, leaseFamily } from '../model/lease.ts';
import { PrefixLengths } from './prefix-lengths.ts';
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

/** The subnets and MACs in use, and who holds them. */
export class Claims {
  readonly #own: Lease | undefined;
  /** One map for all: at some thousands of leases every map costs half a megabyte. */
  readonly #holders = new Map<Prefix | Mac, Claimant>();
  readonly #lengths = new PrefixLengths(this.#holders);

  /** @param own this node's lease, whose claims come before all others */
  constructor(own: Lease | undefined) {
    this.#own = own;
  }

  /** What a family of a lease wants that is not to be had, if anything. */
  clash(lease: Lease, family: Family): Clash | undefined {
    const half = leaseFamily(lease, family);
    if (half === undefined) return undefined;
    const fault = this.#clashWithOwn(half, family);
    if (fault !== undefined) return { holder: undefined, fault: `IPv${family}: ${fault}` };
    const subnet = this.#lengths.overlapping(half.subnet);
    const neighbour = subnet === undefined ? undefined : this.#holders.get(subnet);
    if (neighbour !== undefined) {
      const text = `IPv${family}: subnet '${half.subnet}' overlaps that of ${quoted(neighbour.node)}`;
      return { holder: neighbour, fault: text };
    }
    const twin = half.vtep === undefined ? undefined : this.#holders.get(half.vtep.mac);
    if (twin === undefined) return undefined;
    return { holder: twin, fault: `IPv${family}: MAC '${half.vtep?.mac}' is that of ${quoted(twin.node)}` };
  }

  /** Enters the claims of a lease that clashes with nothing. */
  add(lease: Lease, order: number): void {
    const claimant: Claimant = { node: lease.node, order };
    for (const family of FAMILIES) {
      const half = leaseFamily(lease, family);
      if (half === undefined) continue;
      this.#holders.set(half.subnet, claimant);
      this.#lengths.add(half.subnet);
      if (half.vtep !== undefined) this.#holders.set(half.vtep.mac, claimant);
    }
  }

  /** Gives up the claims of a lease that was added. */
  delete(lease: Lease): void {
    for (const family of FAMILIES) {
      const half = leaseFamily(lease, family);
      if (half === undefined) continue;
      this.#holders.delete(half.subnet);
      this.#lengths.delete(half.subnet);
      if (half.vtep !== undefined) this.#holders.delete(half.vtep.mac);
    }
  }

  /** The order that a lease was added with. */
  orderOf(lease: Lease): number {
    const half = lease.ipv4 ?? lease.ipv6;
    return (half === undefined ? undefined : this.#holders.get(half.subnet)?.order) ?? 0;
  }

  #clashWithOwn(peer: LeaseFamily, family: Family): string | undefined {
    const own = this.#own === undefined ? undefined : leaseFamily(this.#own, family);
    if (own !== undefined) {
      if (peer.publicIp === own.publicIp) return `public address '${peer.publicIp}' is our own`;
      if (subnetsMeet(peer, own)) return `subnet '${peer.subnet}' overlaps ours ('${own.subnet}')`;
    }
    const mac = peer.vtep?.mac;
    const isOurs =
      mac !== undefined && (mac === this.#own?.ipv4?.vtep?.mac || mac === this.#own?.ipv6?.vtep?.mac);
    return isOurs ? `MAC '${mac}' is our own` : undefined;
  }
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
