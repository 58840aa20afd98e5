/**
 * Whether a prefix overlaps one of many, none of which overlap each other.
 *
 * With equal lengths, the rule, that is the question whether the prefix itself is among them. This answers it
 * for the exceptions: what was leased before SubnetLen was changed, or what a hostile store holds.
 *
 * @module
 */
import { type Family, familyOf, type Prefix, prefixBase, prefixLength, prefixOf } from '../model/ip.ts';

/** The prefixes of one family and one length. */
interface Group {
  readonly family: Family;
  readonly length: number;
  /** The length as it stands in a prefix, such as `/24`. */
  readonly suffix: string;
  count: number;
  /** The prefixes by what they are within, for each shorter length that was asked for. */
  readonly within: Map<number, Map<Prefix, Set<Prefix>>>;
}

/** The set, wherever it is kept. */
export interface PrefixSet {
  has(prefix: Prefix): boolean;
  prefixes(): Iterable<Prefix>;
}

/** The lengths of a set of prefixes that is kept elsewhere. */
export class PrefixLengths {
  readonly #prefixes: PrefixSet;
  readonly #groups: Group[] = [];

  /** @param prefixes the set */
  constructor(prefixes: PrefixSet) {
    this.#prefixes = prefixes;
  }

  /** Says that a prefix was added to the set. */
  add(prefix: Prefix): void {
    let group = this.#groupOf(prefix);
    if (group === undefined) {
      const length = prefixLength(prefix);
      group = { family: familyOf(prefix), length, suffix: `/${length}`, count: 0, within: new Map() };
      this.#groups.push(group);
    }
    group.count++;
    for (const [outer, inner] of group.within) join(inner, outer, prefix);
  }

  /** Says that a prefix was taken out of the set. */
  delete(prefix: Prefix): void {
    const group = this.#groupOf(prefix);
    if (group === undefined) return;
    group.count--;
    if (group.count === 0) this.#groups.splice(this.#groups.indexOf(group), 1);
    for (const [outer, inner] of group.within) leave(inner, outer, prefix);
  }

  /** A prefix of the set that shares an address with this one, if there is any. */
  overlapping(prefix: Prefix): Prefix | undefined {
    const family = familyOf(prefix);
    for (const group of this.#groups) {
      if (group.family !== family) continue;
      const other = prefix.endsWith(group.suffix) ? prefix : this.#relative(prefix, group);
      if (other !== undefined && this.#prefixes.has(other)) return other;
    }
    return undefined;
  }

  #groupOf(prefix: Prefix): Group | undefined {
    const family = familyOf(prefix);
    for (const group of this.#groups) {
      if (group.family === family && prefix.endsWith(group.suffix)) return group;
    }
    return undefined;
  }

  /** What of the group's length may hold the prefix, or is held by it. */
  #relative(prefix: Prefix, group: Group): Prefix | undefined {
    if (group.length > prefixLength(prefix)) return this.#inside(prefix, group);
    return prefixOf(prefixBase(prefix), group.length);
  }

  /** One of the group's longer prefixes that `outer` holds. */
  #inside(outer: Prefix, group: Group): Prefix | undefined {
    const length = prefixLength(outer);
    let inner = group.within.get(length);
    if (inner === undefined) {
      inner = new Map();
      for (const prefix of this.#prefixes.prefixes()) {
        if (familyOf(prefix) !== group.family) continue;
        if (prefixLength(prefix) === group.length) join(inner, length, prefix);
      }
      group.within.set(length, inner);
    }
    return inner.get(outer)?.values().next().value;
  }
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
