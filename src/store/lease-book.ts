/**
 * All peers' leases as one node may use them, kept up to date one lease at a time.
 *
 * Who keeps what two leases claim is decided by the order in which they were made, so every node that reads
 * the same leases comes to the same verdict, whatever it saw first. One change among thousands costs a few
 * look-ups, unless it touches a dispute: then all leases are gone through once more, in order.
 *
 * @module
 */
import { FAMILIES } from '../model/ip.ts';
import { type Lease, type RefusedLease, sameLease } from '../model/lease.ts';
import type { LeaseChange } from '../model/lease-source.ts';
import type { NetworkConfig } from '../model/network.ts';
import { joinFaults, judgeLease, type RawLease } from './accept.ts';
import { Claims, claimsMeet } from './claims.ts';

/** What the book knows of a node. */
interface Entry {
  readonly node: string;
  readonly order: number;
  /** The sound part of the lease, by itself. */
  readonly judged: Lease | undefined;
  readonly fault: string | undefined;
  /** What of it may be used, beside the other leases. */
  lease: Lease | undefined;
  /** Why another lease keeps a part of it from use. */
  clash: string | undefined;
}

/** For whom the book is kept. */
export interface LeaseBookOptions {
  /** The own node, which is no peer of itself. */
  readonly node: string;
  readonly network: NetworkConfig;
}

/** The leases of all nodes but one. */
export class LeaseBook {
  readonly #node: string;
  readonly #network: NetworkConfig;
  readonly #entries = new Map<string, Entry>();
  /** Entries of which a part lost a dispute. */
  readonly #losers = new Set<Entry>();
  #own: Lease | undefined;
  #claims = new Claims(undefined);
  /** Whether the claims have to be settled anew, in order. */
  #unsettled = false;
  #peers = new Map<string, Lease>();
  /** The highest order in the book: what is above it belongs at the end. */
  #lastOrder = Number.NEGATIVE_INFINITY;
  #refused: readonly RefusedLease[] = [];
  #refusedChanged = false;
  #changed = new Set<string>();
  /** Whether the book was handed out before. */
  #told = false;

  constructor({ node, network }: LeaseBookOptions) {
    this.#node = node;
    this.#network = network;
  }

  /** The names of all nodes in the book, the refused ones too. */
  nodes(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** Says what this node holds itself: no peer may claim it. */
  setOwn(own: Lease | undefined): void {
    if (isSame(own, this.#own)) return;
    this.#own = own;
    this.#unsettled = true;
  }

  /** Enters a node's lease in place of what it had before. The own node's is passed over. */
  put(raw: RawLease): void {
    if (raw.node === this.#node) return;
    const { lease: judged, fault } = judgeLease(raw, this.#network);
    const old = this.#entries.get(raw.node);
    if (old !== undefined && old.order === raw.order && old.fault === fault && isSame(old.judged, judged))
      return;
    this.#replace(old, {
      node: raw.node,
      order: raw.order,
      judged,
      fault,
      lease: undefined,
      clash: undefined,
    });
  }

  /** Takes a node out. */
  remove(node: string): void {
    const old = this.#entries.get(node);
    if (old === undefined) return;
    this.#withdraw(old);
    this.#entries.delete(node);
    this.#note(old, undefined);
  }

  /** Puts a node behind all others: it stays in use only as long as nobody else claims what it holds. */
  demote(node: string): void {
    const old = this.#entries.get(node);
    if (old === undefined || old.order === Number.POSITIVE_INFINITY) return;
    this.#replace(old, { ...old, order: Number.POSITIVE_INFINITY });
  }

  /**
   * What has changed since the last call, with the peers as they are now, in the order in which their leases
   * were made; `undefined` if nothing has. The first call always tells. What it gives out never changes.
   */
  take(): LeaseChange | undefined {
    if (this.#unsettled) this.#settle();
    if (this.#told && this.#changed.size === 0 && !this.#refusedChanged) return undefined;
    if (this.#refusedChanged) this.#refused = this.#listRefused();
    const changed = this.#told ? this.#changed : 'all';
    this.#told = true;
    this.#refusedChanged = false;
    this.#changed = new Set();
    return { set: { peers: new Map(this.#peers), refused: this.#refused, synced: true }, changed };
  }

  #replace(old: Entry | undefined, entry: Entry): void {
    if (old !== undefined) this.#withdraw(old);
    this.#entries.set(entry.node, entry);
    // A place in the middle of the list is rare (a lease that was refused until now): sorting finds it.
    const isNew = old?.lease === undefined && entry.judged !== undefined;
    if (old !== undefined && old.order !== entry.order) this.#unsettled = true;
    if (isNew && entry.order <= this.#lastOrder) this.#unsettled = true;
    this.#lastOrder = Math.max(this.#lastOrder, entry.order);
    // With a settling ahead there is no use in placing it now.
    if (!this.#unsettled) {
      const beaten = this.#place(entry);
      // Someone who came later holds what this lease wants.
      if (beaten) this.#unsettled = true;
    }
    this.#note(old, entry);
  }

  /** Gives up an entry's claims. Who lost a dispute over one of them may win it now. */
  #withdraw(entry: Entry): void {
    this.#losers.delete(entry);
    const { lease } = entry;
    if (lease === undefined) return;
    this.#claims.delete(lease);
    if (this.#unsettled) return;
    for (const loser of this.#losers) {
      if (loser.judged !== undefined && claimsMeet(loser.judged, lease)) this.#unsettled = true;
    }
  }

  /**
   * Enters an entry's claims, but for the families whose claims are held already.
   *
   * @returns whether one of those holders came later than this entry
   */
  #place(entry: Entry): boolean {
    entry.lease = entry.judged;
    entry.clash = undefined;
    if (entry.judged === undefined) return false;
    let beaten = false;
    for (const family of FAMILIES) {
      const clash = this.#claims.clash(entry.judged, family);
      if (clash === undefined) continue;
      const holder = clash.holder === undefined ? undefined : this.#entries.get(clash.holder);
      if (holder !== undefined && comesBefore(entry, holder)) beaten = true;
      entry.clash = joinFaults(entry.clash, clash.fault);
      if (entry.lease !== undefined) entry.lease = withoutFamily(entry.lease, family);
    }
    if (entry.lease !== undefined) this.#claims.add(entry.lease);
    if (entry.clash !== undefined) this.#losers.add(entry);
    return beaten;
  }

  /** Takes down what differs between two states of a node. */
  #note(old: Entry | undefined, entry: Entry | undefined): void {
    if (reasonOf(old) !== reasonOf(entry)) this.#refusedChanged = true;
    if (this.#unsettled) return;
    this.#notePeer(old?.node ?? entry?.node ?? '', entry?.lease);
  }

  #notePeer(node: string, lease: Lease | undefined): void {
    const before = this.#peers.get(node);
    if (isSame(before, lease)) return;
    this.#changed.add(node);
    if (lease === undefined) this.#peers.delete(node);
    else this.#peers.set(node, lease);
  }

  /** Goes through all leases in the order in which they were made. */
  #settle(): void {
    const before = this.#peers;
    const ordered = [...this.#entries.values()].sort((a, b) => (comesBefore(a, b) ? -1 : 1));
    this.#claims = new Claims(this.#own);
    this.#losers.clear();
    this.#peers = new Map();
    for (const entry of ordered) {
      const reason = reasonOf(entry);
      this.#place(entry);
      if (reasonOf(entry) !== reason) this.#refusedChanged = true;
      const known = before.get(entry.node);
      const { lease } = entry;
      if (!isSame(known, lease)) this.#changed.add(entry.node);
      if (lease !== undefined) this.#peers.set(entry.node, lease);
    }
    for (const node of before.keys()) if (!this.#entries.has(node)) this.#changed.add(node);
    this.#lastOrder = ordered.at(-1)?.order ?? Number.NEGATIVE_INFINITY;
    this.#unsettled = false;
  }

  #listRefused(): RefusedLease[] {
    const refused: RefusedLease[] = [];
    for (const entry of [...this.#entries.values()].sort((a, b) => (comesBefore(a, b) ? -1 : 1))) {
      const reason = reasonOf(entry);
      if (reason !== undefined) refused.push({ node: entry.node, reason });
    }
    return refused;
  }
}

function reasonOf(entry: Entry | undefined): string | undefined {
  return entry === undefined ? undefined : joinFaults(entry.fault, entry.clash);
}

/** Whether `a` was made before `b`. Names decide between equals, which only a tampered store has. */
function comesBefore(a: Entry, b: Entry): boolean {
  return a.order === b.order ? a.node < b.node : a.order < b.order;
}

function isSame(a: Lease | undefined, b: Lease | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameLease(a, b);
}

/** The lease without one half, or `undefined` if nothing is left of it. */
function withoutFamily(lease: Lease, family: 4 | 6): Lease | undefined {
  const rest: Lease = family === 4 ? { ...lease, ipv4: undefined } : { ...lease, ipv6: undefined };
  return rest.ipv4 === undefined && rest.ipv6 === undefined ? undefined : rest;
}
