/**
 * The peers that are or should be in the kernel, and which key belongs to which of them. Their objects are
 * never held: they are planned again whenever they are needed.
 *
 * @module
 */
import { HashIndex, hashText } from '../model/hash-index.ts';
import type { Lease } from '../model/lease.ts';
import { LeaseTable } from '../model/lease-table.ts';
import { type KernelObject, type Key, keyOf, sameObject } from '../model/objects.ts';

/** A peer has at most this many objects; a slot is an object's place in the peer's plan. */
const SLOTS = 16;

/** A peer's place in the table. */
export type Peer = number;

/** Which object of which peer a key names, and that object as it is planned. */
export interface KeyHolder {
  readonly peer: Peer;
  readonly slot: number;
  readonly object: KernelObject;
}

/** How a lease is planned. */
export type ObjectsOf = (lease: Lease) => readonly KernelObject[];

/** A number of 16 bits for each peer: bits are slots. */
class Column {
  #values = new Uint16Array(16);

  get(peer: Peer): number {
    return this.#values[peer] ?? 0;
  }

  set(peer: Peer, value: number): void {
    if (peer >= this.#values.length) {
      const larger = new Uint16Array(Math.max(peer + 1, this.#values.length * 2));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[peer] = value;
  }

  add(peer: Peer, bits: number): void {
    this.set(peer, this.get(peer) | bits);
  }

  delete(peer: Peer, bits: number): void {
    this.set(peer, this.get(peer) & ~bits);
  }

  clear(): void {
    this.#values.fill(0);
  }
}

/** The index from keys to peers. A key that two peers plan belongs to the one that came first. */
export class PeerTable {
  /** The objects of a peer's plan whose keys are its own. */
  readonly slots = new Column();
  /** The objects that were brought about since the plan last changed. */
  readonly applied = new Column();
  /** The objects that the current look has found to be right. */
  readonly seen = new Column();
  /** The objects that the current look has found, right or wrong. */
  readonly present = new Column();
  readonly #leases = new LeaseTable();
  /** Values are peer times {@link SLOTS} plus slot. */
  readonly #byKey = new HashIndex();
  /** Peers that plan a key which another peer holds. */
  readonly #shadowed = new Set<Peer>();

  get size(): number {
    return this.#leases.size;
  }

  /** A node's peer, if it has one. */
  find(node: string): Peer | undefined {
    const peer = this.#leases.ordinalOf(node);
    return peer < 0 ? undefined : peer;
  }

  /** The lease by which a peer is planned; `undefined` if there is no such peer. */
  leaseOf(peer: Peer): Lease | undefined {
    return this.#leases.at(peer);
  }

  /** Whether a peer is planned by just this lease. */
  isPlannedBy(peer: Peer, lease: Lease): boolean {
    return this.#leases.equals(peer, lease);
  }

  /** All peers. */
  peers(): Generator<Peer> {
    return this.#leases.ordinals();
  }

  /** The peer that a key belongs to. */
  holderOf(key: Key, objectsOf: ObjectsOf): KeyHolder | undefined {
    let object: KernelObject | undefined;
    const value = this.#byKey.find(hashText(key), (candidate) => {
      const lease = this.#leases.at(Math.floor(candidate / SLOTS));
      object = lease && objectsOf(lease)[candidate % SLOTS];
      return object !== undefined && keyOf(object) === key;
    });
    if (value < 0 || object === undefined) return undefined;
    return { peer: Math.floor(value / SLOTS), slot: value % SLOTS, object };
  }

  /** Gives a node its lease; {@link claim} then enters the keys. The keys of a former lease must be released. */
  set(lease: Lease): Peer {
    return this.#leases.set(lease);
  }

  /** Enters the keys of a peer's objects, except those that another peer holds. */
  claim(peer: Peer, lease: Lease, objectsOf: ObjectsOf): void {
    const objects = objectsOf(lease);
    if (objects.length > SLOTS) throw new RangeError(`${objects.length} objects for peer '${lease.node}'`);
    let slots = 0;
    this.#shadowed.delete(peer);
    objects.forEach((object, slot) => {
      const key = keyOf(object);
      if (this.holderOf(key, objectsOf) !== undefined) {
        this.#shadowed.add(peer);
        return;
      }
      this.#byKey.insert(hashText(key), peer * SLOTS + slot);
      slots |= 1 << slot;
    });
    this.slots.set(peer, slots);
    this.applied.set(peer, 0);
    this.present.set(peer, 0);
  }

  /** Takes back what {@link claim} entered. */
  release(peer: Peer, objects: readonly KernelObject[]): void {
    objects.forEach((object, slot) => {
      this.#byKey.remove(hashText(keyOf(object)), peer * SLOTS + slot);
    });
    this.slots.set(peer, 0);
  }

  /** Whether all of a peer's plan was brought about, and no other peer holds a key of it. */
  isApplied(peer: Peer): boolean {
    return this.applied.get(peer) === this.slots.get(peer) && !this.#shadowed.has(peer);
  }

  /** Enters the shadowed peers again, which keys may have been released for, and gives them back. */
  claimShadowed(objectsOf: ObjectsOf): Peer[] {
    const peers = [...this.#shadowed];
    for (const peer of peers) {
      const lease = this.#leases.at(peer);
      if (lease === undefined) continue;
      this.release(peer, objectsOf(lease));
      this.claim(peer, lease, objectsOf);
    }
    return peers;
  }

  /** Forgets a peer whose keys are released. */
  remove(peer: Peer): void {
    this.#shadowed.delete(peer);
    const lease = this.#leases.at(peer);
    if (lease !== undefined) this.#leases.delete(lease.node);
  }

  /** Enters all keys anew after the plan has changed. What is planned as before is still as good as it was. */
  replan(before: ObjectsOf | undefined, objectsOf: ObjectsOf): void {
    this.#byKey.clear();
    for (const peer of this.peers()) {
      const lease = this.#leases.at(peer);
      if (lease === undefined) continue;
      const applied = this.applied.get(peer);
      this.claim(peer, lease, objectsOf);
      if (before !== undefined && samePlan(before(lease), objectsOf(lease))) this.applied.set(peer, applied);
    }
  }
}

function samePlan(a: readonly KernelObject[], b: readonly KernelObject[]): boolean {
  return a.length === b.length && a.every((object, slot) => sameObject(object, b[slot] ?? object));
}
