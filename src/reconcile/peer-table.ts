/**
 * The peers that are or should be in the kernel, and which key belongs to which of them. Their objects are
 * never held: they are planned again whenever they are needed.
 *
 * @module
 */
import type { Lease } from '../model/lease.ts';
import { type KernelObject, type Key, keyOf } from '../model/objects.ts';

/** A peer has at most this many objects; a slot is an object's place in the peer's plan. */
const SLOTS = 16;

/** What is known of one peer. Bits are slots. */
export interface PeerEntry {
  readonly ordinal: number;
  lease: Lease;
  /** The objects of its plan whose keys are its own. */
  slots: number;
  /** The objects that were brought about since the plan last changed. */
  applied: number;
  /** The objects that the current look has found to be right. */
  seen: number;
  /** The objects that the current look has found, right or wrong. */
  present: number;
}

/** Which object of which peer a key names. */
export interface KeyOwner {
  readonly entry: PeerEntry;
  readonly slot: number;
}

/** The index from keys to peers. A key that two peers plan belongs to the one that came first. */
export class PeerTable {
  readonly #entries: (PeerEntry | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #byNode = new Map<string, PeerEntry>();
  readonly #byKey = new Map<Key, number>();

  get size(): number {
    return this.#byNode.size;
  }

  get(node: string): PeerEntry | undefined {
    return this.#byNode.get(node);
  }

  entries(): IterableIterator<PeerEntry> {
    return this.#byNode.values();
  }

  /** The peer that a key belongs to. */
  ownerOf(key: Key): KeyOwner | undefined {
    const packed = this.#byKey.get(key);
    if (packed === undefined) return undefined;
    const entry = this.#entries[Math.floor(packed / SLOTS)];
    return entry === undefined ? undefined : { entry, slot: packed % SLOTS };
  }

  /** Whether a key belongs to this peer. */
  owns(entry: PeerEntry, key: Key): boolean {
    const packed = this.#byKey.get(key);
    return packed !== undefined && Math.floor(packed / SLOTS) === entry.ordinal;
  }

  /** Enters a peer without any keys; {@link claim} gives it its objects. */
  add(lease: Lease): PeerEntry {
    const ordinal = this.#free.pop() ?? this.#entries.length;
    const entry: PeerEntry = { ordinal, lease, slots: 0, applied: 0, seen: 0, present: 0 };
    this.#entries[ordinal] = entry;
    this.#byNode.set(lease.node, entry);
    return entry;
  }

  /** Enters the keys of a peer's objects, except those that another peer holds. */
  claim(entry: PeerEntry, objects: readonly KernelObject[]): void {
    if (objects.length > SLOTS)
      throw new RangeError(`${objects.length} objects for peer '${entry.lease.node}'`);
    entry.slots = 0;
    entry.applied = 0;
    objects.forEach((object, slot) => {
      const key = keyOf(object);
      if (this.#byKey.has(key)) return;
      this.#byKey.set(key, entry.ordinal * SLOTS + slot);
      entry.slots |= 1 << slot;
    });
  }

  /** Takes back what {@link claim} entered. */
  release(entry: PeerEntry, objects: readonly KernelObject[]): void {
    for (const object of objects) {
      const key = keyOf(object);
      if (this.owns(entry, key)) this.#byKey.delete(key);
    }
  }

  /** Forgets a peer whose keys are released. */
  remove(entry: PeerEntry): void {
    this.#byNode.delete(entry.lease.node);
    this.#entries[entry.ordinal] = undefined;
    this.#free.push(entry.ordinal);
  }

  /** Forgets every key, to enter all peers anew after the plan has changed as a whole. */
  replan(objectsOf: (lease: Lease) => readonly KernelObject[]): void {
    this.#byKey.clear();
    for (const entry of this.#byNode.values()) this.claim(entry, objectsOf(entry.lease));
  }
}
