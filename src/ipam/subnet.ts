/**
 * The choice of a node's subnet out of the cluster network, by flannel's rules (its local manager for etcd):
 * keep what one has, else take the previous one, else one at random among the first free ones.
 *
 * @module
 */
import {
  addressBits,
  familyOf,
  ipFromBigint,
  ipToBigint,
  type Prefix,
  prefixBase,
  prefixLength,
  prefixOf,
} from '../model/ip.ts';
import type { NetworkFamily } from '../model/network.ts';

/** How many free subnets are drawn from. flannel's number: enough to keep two nodes from the same choice. */
const CANDIDATES_MAX = 100;

/** What a node would like, and what others hold. */
export interface SubnetWish {
  /** The range to choose from. */
  readonly range: NetworkFamily;
  /** The subnet that the node's own lease names now. */
  readonly own: Prefix | undefined;
  /** The subnet that the node had before (subnet.env): taken if nobody's lease names it. */
  readonly preferred: Prefix | undefined;
  /** What other nodes hold, of any length. */
  readonly taken: readonly Prefix[];
  /** What other nodes held until their leases expired, the one that expired first coming first. */
  readonly expired: readonly Prefix[];
}

/** The chosen subnet and why that one, or how many there are if all are held. */
export type SubnetChoice =
  | {
      readonly kind: 'chosen';
      readonly subnet: Prefix;
      readonly how: 'own' | 'preferred' | 'free' | 'expired';
    }
  | { readonly kind: 'exhausted'; readonly capacity: bigint };

/** Subnets that one prefix blocks, counted from SubnetMin; both ends are blocked. */
interface Blocked {
  readonly first: bigint;
  readonly last: bigint;
}

/** Whether a subnet may be leased from a range: SubnetMin ≤ base ≤ SubnetMax, and of the range's length. */
export function isCompatible(range: NetworkFamily, subnet: Prefix): boolean {
  if (prefixLength(subnet) !== range.subnetLength) return false;
  const base = prefixBase(subnet);
  if (familyOf(base) !== familyOf(range.subnetMin)) return false;
  const value = ipToBigint(base);
  return ipToBigint(range.subnetMin) <= value && value <= ipToBigint(range.subnetMax);
}

/** How many subnets a range has; 0 if SubnetMin is above SubnetMax, which flannel does not forbid. */
export function subnetCapacity(range: NetworkFamily): bigint {
  const span = ipToBigint(range.subnetMax) - ipToBigint(range.subnetMin);
  return span < 0n ? 0n : (span >> hostBits(range)) + 1n;
}

/**
 * Chooses a subnet that overlaps nothing in `taken`. What an expired lease names is left alone while
 * anything else is free; then the one that expired first goes first.
 *
 * @param random gives a number in [0, 1)
 */
export function chooseSubnet(wish: SubnetWish, random: () => number): SubnetChoice {
  const { range, own, preferred } = wish;
  const capacity = subnetCapacity(range);
  const taken = blockedBy(range, wish.taken);
  if (own !== undefined && isCompatible(range, own) && isFree(range, own, taken)) {
    return { kind: 'chosen', subnet: own, how: 'own' };
  }
  const blocked = wish.expired.length === 0 ? taken : blockedBy(range, [...wish.taken, ...wish.expired]);
  if (preferred !== undefined && isCompatible(range, preferred) && isFree(range, preferred, blocked)) {
    return { kind: 'chosen', subnet: preferred, how: 'preferred' };
  }
  const free = freeWithin({ first: 0n, last: capacity - 1n }, blocked, CANDIDATES_MAX);
  const drawn = free.length > 0 ? free[Math.floor(random() * free.length)] : undefined;
  if (drawn !== undefined) return { kind: 'chosen', subnet: subnetAt(range, drawn), how: 'free' };
  for (const prefix of wish.expired) {
    const held = blockedBy(range, [prefix])[0];
    const slot = held === undefined ? undefined : freeWithin(held, taken, 1)[0];
    if (slot !== undefined) return { kind: 'chosen', subnet: subnetAt(range, slot), how: 'expired' };
  }
  return { kind: 'exhausted', capacity };
}

function hostBits(range: NetworkFamily): bigint {
  return BigInt(addressBits(familyOf(range.subnetMin)) - range.subnetLength);
}

function subnetAt(range: NetworkFamily, slot: bigint): Prefix {
  const base = ipToBigint(range.subnetMin) + (slot << hostBits(range));
  return prefixOf(ipFromBigint(familyOf(range.subnetMin), base), range.subnetLength);
}

/** What the prefixes block of the range, in ascending order; those outside of it are left out. */
function blockedBy(range: NetworkFamily, prefixes: readonly Prefix[]): Blocked[] {
  const family = familyOf(range.subnetMin);
  const min = ipToBigint(range.subnetMin);
  const end = subnetCapacity(range) - 1n;
  const shift = hostBits(range);
  const blocked: Blocked[] = [];
  for (const prefix of prefixes) {
    if (familyOf(prefix) !== family) continue;
    const base = ipToBigint(prefixBase(prefix)) - min;
    const size = 1n << BigInt(addressBits(family) - prefixLength(prefix));
    const first = base >> shift;
    const last = (base + size - 1n) >> shift;
    if (last < 0n || first > end) continue;
    blocked.push({ first: first < 0n ? 0n : first, last: last > end ? end : last });
  }
  return blocked.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
}

/** The first slots within `span` that nothing blocks, at most `limit`. `blocked` is in ascending order. */
function freeWithin(span: Blocked, blocked: readonly Blocked[], limit: number): bigint[] {
  const free: bigint[] = [];
  let slot = span.first;
  for (const { first, last } of blocked) {
    const stop = first <= span.last ? first : span.last + 1n;
    for (; slot < stop && free.length < limit; slot++) free.push(slot);
    if (last >= slot) slot = last + 1n;
  }
  for (; slot <= span.last && free.length < limit; slot++) free.push(slot);
  return free;
}

function isFree(range: NetworkFamily, subnet: Prefix, blocked: readonly Blocked[]): boolean {
  const slot = (ipToBigint(prefixBase(subnet)) - ipToBigint(range.subnetMin)) >> hostBits(range);
  return !blocked.some(({ first, last }) => first <= slot && slot <= last);
}
