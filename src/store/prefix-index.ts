/**
 * Prefixes that do not overlap, and the question whether another one overlaps any of them.
 *
 * @module
 */
import { type Prefix, prefixBase, prefixLength, prefixOf } from '../model/ip.ts';

/** The prefixes of one length. */
interface Bucket<T> {
  readonly holders: Map<Prefix, T>;
  /**
   * The same prefixes by what they are within, for each shorter length that was asked for. With one subnet
   * length, the rule, there is none.
   */
  readonly within: Map<number, Map<Prefix, Set<Prefix>>>;
}

/** A set of prefixes of one family, each with what holds it. With equal lengths a question is one look-up. */
export class PrefixIndex<T> {
  readonly #buckets = new Map<number, Bucket<T>>();

  /** Adds a prefix that overlaps none of those here. */
  add(prefix: Prefix, holder: T): void {
    const length = prefixLength(prefix);
    let bucket = this.#buckets.get(length);
    if (bucket === undefined) {
      bucket = { holders: new Map(), within: new Map() };
      this.#buckets.set(length, bucket);
    }
    bucket.holders.set(prefix, holder);
    for (const [outer, groups] of bucket.within) join(groups, outer, prefix);
  }

  /** Takes a prefix out, if it is here. */
  delete(prefix: Prefix): void {
    const length = prefixLength(prefix);
    const bucket = this.#buckets.get(length);
    if (bucket?.holders.delete(prefix) !== true) return;
    if (bucket.holders.size === 0) this.#buckets.delete(length);
    for (const [outer, groups] of bucket.within) leave(groups, outer, prefix);
  }

  /** The holder of a prefix that shares an address with this one, if there is any. */
  overlapping(prefix: Prefix): T | undefined {
    const length = prefixLength(prefix);
    for (const [other, bucket] of this.#buckets) {
      const shared =
        other === length
          ? prefix
          : other < length
            ? prefixOf(prefixBase(prefix), other)
            : inside(prefix, bucket);
      const holder = shared === undefined ? undefined : bucket.holders.get(shared);
      if (holder !== undefined) return holder;
    }
    return undefined;
  }
}

/** One of the bucket's longer prefixes that `outer` holds. */
function inside<T>(outer: Prefix, bucket: Bucket<T>): Prefix | undefined {
  const length = prefixLength(outer);
  let groups = bucket.within.get(length);
  if (groups === undefined) {
    groups = new Map();
    for (const prefix of bucket.holders.keys()) join(groups, length, prefix);
    bucket.within.set(length, groups);
  }
  return groups.get(outer)?.values().next().value;
}

function join(groups: Map<Prefix, Set<Prefix>>, outer: number, prefix: Prefix): void {
  const key = prefixOf(prefixBase(prefix), outer);
  const group = groups.get(key);
  if (group === undefined) groups.set(key, new Set([prefix]));
  else group.add(prefix);
}

function leave(groups: Map<Prefix, Set<Prefix>>, outer: number, prefix: Prefix): void {
  const key = prefixOf(prefixBase(prefix), outer);
  const group = groups.get(key);
  group?.delete(prefix);
  if (group?.size === 0) groups.delete(key);
}
