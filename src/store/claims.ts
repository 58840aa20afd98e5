/**
 * What leases lay claim to, of which there is one of each: subnets, and the MAC addresses of VTEPs. Whoever
 * came first keeps what is claimed twice.
 *
 * @module
 */
import { FAMILIES, type Family, type Mac, prefixesOverlap, prefixLength } from '../model/ip.ts';
import { type Lease, type LeaseFamily, leaseFamily } from '../model/lease.ts';
import { PrefixIndex } from './prefix-index.ts';
import { quoted } from './printable.ts';

/** Who holds what two leases want. */
export interface Clash {
  /** The peer that holds it, or `undefined` if this node does. */
  readonly holder: string | undefined;
  /** In words, such as `IPv4: subnet '10.3.1.0/24' overlaps that of 'b'`. */
  readonly fault: string;
}

/** The claims of one family. The families have separate devices, so their MACs never meet. */
interface FamilyClaims {
  readonly subnets: PrefixIndex<string>;
  readonly macs: Map<Mac, string>;
}

/** The subnets and MACs in use, by the names of the nodes that hold them. */
export class Claims {
  readonly #own: Lease | undefined;
  readonly #families: Readonly<Record<Family, FamilyClaims>> = { 4: noClaims(), 6: noClaims() };

  /** @param own this node's lease, whose claims come before all others */
  constructor(own: Lease | undefined) {
    this.#own = own;
  }

  /** What a family of a lease wants that is not to be had, if anything. */
  clash(lease: Lease, family: Family): Clash | undefined {
    const half = leaseFamily(lease, family);
    if (half === undefined) return undefined;
    const own = this.#own === undefined ? undefined : leaseFamily(this.#own, family);
    const ownFault = own === undefined ? undefined : clashWithOwn(half, own);
    if (ownFault !== undefined) return { holder: undefined, fault: `IPv${family}: ${ownFault}` };
    const { subnets, macs } = this.#families[family];
    const neighbour = subnets.overlapping(half.subnet);
    if (neighbour !== undefined) {
      const fault = `IPv${family}: subnet '${half.subnet}' overlaps that of ${quoted(neighbour)}`;
      return { holder: neighbour, fault };
    }
    const twin = half.vtep === undefined ? undefined : macs.get(half.vtep.mac);
    if (twin === undefined) return undefined;
    return { holder: twin, fault: `IPv${family}: MAC '${half.vtep?.mac}' is that of ${quoted(twin)}` };
  }

  /** Enters the claims of a lease that clashes with nothing. */
  add(lease: Lease): void {
    for (const family of FAMILIES) {
      const half = leaseFamily(lease, family);
      if (half === undefined) continue;
      this.#families[family].subnets.add(half.subnet, lease.node);
      if (half.vtep !== undefined) this.#families[family].macs.set(half.vtep.mac, lease.node);
    }
  }

  /** Gives up the claims of a lease that was added. */
  delete(lease: Lease): void {
    for (const family of FAMILIES) {
      const half = leaseFamily(lease, family);
      if (half === undefined) continue;
      this.#families[family].subnets.delete(half.subnet);
      if (half.vtep !== undefined) this.#families[family].macs.delete(half.vtep.mac);
    }
  }
}

/** Whether two leases want the same thing. */
export function claimsMeet(a: Lease, b: Lease): boolean {
  return FAMILIES.some((family) => {
    const one = leaseFamily(a, family);
    const other = leaseFamily(b, family);
    if (one === undefined || other === undefined) return false;
    return sameGround(one, other) || sameMac(one, other);
  });
}

function noClaims(): FamilyClaims {
  return { subnets: new PrefixIndex(), macs: new Map() };
}

function clashWithOwn(peer: LeaseFamily, own: LeaseFamily): string | undefined {
  if (peer.publicIp === own.publicIp) return `public address '${peer.publicIp}' is our own`;
  if (sameGround(peer, own)) return `subnet '${peer.subnet}' overlaps ours ('${own.subnet}')`;
  return sameMac(peer, own) ? `MAC '${peer.vtep?.mac}' is our own` : undefined;
}

/** Whether two subnets overlap. Those of equal length, the rule, are compared as text. */
function sameGround(a: LeaseFamily, b: LeaseFamily): boolean {
  if (prefixLength(a.subnet) === prefixLength(b.subnet)) return a.subnet === b.subnet;
  return prefixesOverlap(a.subnet, b.subnet);
}

function sameMac(a: LeaseFamily, b: LeaseFamily): boolean {
  return a.vtep !== undefined && a.vtep.mac === b.vtep?.mac;
}
