/**
 * From which ranges pods are given addresses, and which comes next: the rules of the reference plugin `host-local`,
 * so that either can go on with what the other has given.
 *
 * @module
 */
import {
  addressBits,
  type Family,
  familyOf,
  type Ip,
  ipFromBigint,
  ipToBigint,
  type Prefix,
  prefixBase,
  prefixContains,
  prefixesOverlap,
  prefixLength,
} from '../model/ip.ts';
import { fail, ok, type Result } from '../model/result.ts';

/** A range as a configuration has it. */
export interface RangeWish {
  readonly subnet: Prefix;
  /** The first address to give; the subnet's first host if absent. */
  readonly rangeStart?: Ip | undefined;
  /** The last address to give; the last before the broadcast address if absent, with IPv6 the last of all. */
  readonly rangeEnd?: Ip | undefined;
  /** Never given to a pod; the subnet's first host if absent. */
  readonly gateway?: Ip | undefined;
}

/** A range with nothing left open. */
export interface PodRange {
  readonly subnet: Prefix;
  readonly start: Ip;
  readonly end: Ip;
  readonly gateway: Ip;
}

/** Completes a range, or says what is wrong with it. */
export function podRange({ subnet, rangeStart, rangeEnd, gateway }: RangeWish): Result<PodRange, string> {
  const family = familyOf(subnet);
  const hostBits = addressBits(family) - prefixLength(subnet);
  if (hostBits < 2) return fail(`subnet ${subnet} is too small to give addresses from`);
  const base = ipToBigint(prefixBase(subnet));
  const last = base + (1n << BigInt(hostBits)) - (family === 4 ? 2n : 1n);
  const first = ipFromBigint(family, base + 1n);
  const range: PodRange = {
    subnet,
    start: rangeStart ?? first,
    end: rangeEnd ?? ipFromBigint(family, last),
    gateway: gateway ?? first,
  };
  if (!prefixContains(subnet, range.start)) return fail(`rangeStart ${range.start} is not in ${subnet}`);
  if (!prefixContains(subnet, range.end)) return fail(`rangeEnd ${range.end} is not in ${subnet}`);
  if (familyOf(range.gateway) !== family)
    return fail(`gateway ${range.gateway} is not of ${subnet}'s family`);
  if (ipToBigint(range.start) > ipToBigint(range.end)) {
    return fail(`rangeStart ${range.start} is after rangeEnd ${range.end}`);
  }
  return ok(range);
}

/** What is wrong with sets of ranges, of each of which a pod is given one address; `undefined` if nothing is. */
export function rangeSetsProblem(sets: readonly (readonly PodRange[])[]): string | undefined {
  for (const [i, set] of sets.entries()) {
    if (set.length === 0) return `ranges[${i}] is empty`;
    if (new Set(set.map(({ subnet }) => familyOf(subnet))).size > 1) {
      return `ranges[${i}] has IPv4 and IPv6 in one set`;
    }
  }
  const all = sets.flat();
  for (const [i, one] of all.entries()) {
    const other = all.slice(i + 1).find((later) => shareAddress(one, later));
    if (other !== undefined) return `ranges ${rangeText(one)} and ${rangeText(other)} overlap`;
  }
  return undefined;
}

function shareAddress(a: PodRange, b: PodRange): boolean {
  if (!prefixesOverlap(a.subnet, b.subnet)) return false;
  return isAtMost(a.start, b.end) && isAtMost(b.start, a.end);
}

function isAtMost(a: Ip, b: Ip): boolean {
  return ipToBigint(a) <= ipToBigint(b);
}

/** A range for people. */
export function rangeText({ start, end }: PodRange): string {
  return `${start}-${end}`;
}

/** Whether a range gives this address. */
export function rangeHolds({ start, end }: PodRange, ip: Ip): boolean {
  return familyOf(start) === familyOf(ip) && isAtMost(start, ip) && isAtMost(ip, end);
}

/** An address with the range that it is from. */
export interface Candidate {
  readonly ip: Ip;
  readonly range: PodRange;
}

/** A question with an answer for each address. */
export type IsTaken = (ip: Ip) => boolean;

/**
 * The first address after `last` that is free, round and round; from the beginning if `last` is of none of the
 * ranges. `undefined` if all are taken. An address that was given back rests for as long as others are free: old
 * entries of neighbours may still name it.
 */
export function nextAddress(
  set: readonly PodRange[],
  { last, isTaken }: { last: Ip | undefined; isTaken: IsTaken },
): Candidate | undefined {
  const at = last === undefined ? -1 : set.findIndex((range) => rangeHolds(range, last));
  const begun = set[at];
  if (begun === undefined || last === undefined) return firstFree(set, isTaken);
  const family = familyOf(last);
  const rest = part(begun, family, { from: ipToBigint(last) + 1n });
  const before = part(begun, family, { to: ipToBigint(last) });
  return firstFree([...rest, ...set.slice(at + 1), ...set.slice(0, at), ...before], isTaken);
}

/** A piece of a range; empty if nothing is left. */
function part(range: PodRange, family: Family, { from, to }: { from?: bigint; to?: bigint }): PodRange[] {
  const start = from ?? ipToBigint(range.start);
  const end = to ?? ipToBigint(range.end);
  if (start > end) return [];
  return [{ ...range, start: ipFromBigint(family, start), end: ipFromBigint(family, end) }];
}

function firstFree(ranges: readonly PodRange[], isTaken: IsTaken): Candidate | undefined {
  for (const range of ranges) {
    const family = familyOf(range.start);
    const end = ipToBigint(range.end);
    for (let value = ipToBigint(range.start); value <= end; value++) {
      const ip = ipFromBigint(family, value);
      if (ip !== range.gateway && !isTaken(ip)) return { ip, range };
    }
  }
  return undefined;
}
