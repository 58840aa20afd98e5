/**
 * All peers' leases as one node may use them, kept up to date one lease at a time.
 *
 * Who keeps what two leases claim is decided by the order in which they were made, so every node that reads
 * the same leases comes to the same verdict, whatever it saw first. One change among thousands costs a few
 * look-ups, unless it touches a dispute: then all leases are settled anew, in order.
 *
 * Of a lease with nothing to be said about it, only the lease itself and its claims are kept.
 *
 * @module
 */
import { FAMILIES, type Family } from '../model/ip.ts';
import { type Lease, type RefusedLease, sameLease } from '../model/lease.ts';
import type { LeaseChange } from '../model/lease-source.ts';
import { LeaseTable } from '../model/lease-table.ts';
import type { NetworkConfig } from '../model/network.ts';
import { printable } from '../model/printable.ts';
import { joinFaults, judgeLease, type RawLease } from './accept.ts';
import { Claims, claimsMeet } from './claims.ts';

/** What is known of a node's lease, before other leases are looked at. */
interface Entry {
  readonly node: string;
  readonly order: number;
  /** The sound part of the lease, by itself. */
  readonly judged: Lease | undefined;
  readonly fault: string | undefined;
}

/** An entry beside the others. */
interface Placed extends Entry {
  /** What of it may be used. */
  readonly lease: Lease | undefined;
  /** Why other leases keep a part of it from use. */
  readonly clash: string | undefined;
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
  #own: Lease | undefined;
  /** What may be used. */
  #peers = new LeaseTable();
  #claims: Claims;
  /** The entries that are refused, wholly or in part. */
  readonly #odd = new Map<string, Placed>();
  /** All entries while they wait to be settled anew; nothing else is kept up to date meanwhile. */
  #pending: Map<string, Entry> | undefined;
  #refused: readonly RefusedLease[] = [];
  #isOddChanged = false;
  #changed = new Set<string>();
  #isTold = false;

  constructor({ node, network }: LeaseBookOptions) {
    this.#node = node;
    this.#network = network;
    this.#claims = this.#noClaims();
  }

  /** The names of all nodes in the book, the refused ones too. */
  nodes(): string[] {
    if (this.#pending !== undefined) return [...this.#pending.keys()];
    return [...this.#peers.keys(), ...[...this.#odd.keys()].filter((node) => !this.#peers.has(node))];
  }

  /** Says what this node holds itself: no peer may claim it. */
  setOwn(own: Lease | undefined): void {
    if (isSame(own, this.#own)) return;
    this.#own = own;
    if (this.#pending === undefined && this.#peers.size === 0 && this.#odd.size === 0)
      this.#claims = this.#noClaims();
    else this.#unsettle();
  }

  /** Puts in order what waits for it, so that what comes next finds its place at once: a long list takes less room. */
  settle(): void {
    if (this.#pending !== undefined) this.#settle(this.#pending);
  }

  /** Enters a node's lease in place of what it had before. The own node's is passed over. */
  put(raw: RawLease): void {
    if (raw.node === this.#node) return;
    const { lease: judged, fault } = judgeLease(raw, this.#network);
    const old = this.#find(raw.node);
    if (old !== undefined && old.order === raw.order && old.fault === fault && isSame(old.judged, judged))
      return;
    this.#replace(old, { node: raw.node, order: raw.order, judged, fault });
  }

  /** Takes a node out. */
  remove(node: string): void {
    const old = this.#find(node);
    if (old === undefined) return;
    if (!this.#withdraw(old)) {
      this.#unsettle().delete(node);
      return;
    }
    this.#setPeer(node, undefined);
    this.#setOdd(node, undefined);
  }

  /** Puts a node behind all others: it stays in use only as long as nobody else claims what it holds. */
  demote(node: string): void {
    const old = this.#find(node);
    if (old === undefined || old.order === Number.POSITIVE_INFINITY) return;
    this.#replace(old, { ...old, order: Number.POSITIVE_INFINITY });
  }

  /**
   * What has changed since the last call, with the peers as they are now; `undefined` if nothing has. The first
   * call always tells. The peers that it gives out are the book's own: they change with it.
   */
  take(): LeaseChange | undefined {
    if (this.#pending !== undefined) this.#settle(this.#pending);
    const refused = this.#isOddChanged ? this.#listRefused() : this.#refused;
    this.#isOddChanged = false;
    const isRefusedSame = isSameList(refused, this.#refused);
    if (this.#isTold && this.#changed.size === 0 && isRefusedSame) return undefined;
    if (!isRefusedSame) this.#refused = refused;
    const changed = this.#isTold ? this.#changed : 'all';
    this.#isTold = true;
    this.#changed = new Set();
    return { set: { peers: this.#peers, refused: this.#refused, synced: true }, changed };
  }

  /** Who claims what this node holds, and is refused for it. */
  rivals(): Pick<RawLease, 'node' | 'order'>[] {
    const own = this.#own;
    if (own === undefined) return [];
    return [...this.#odd.values()].filter(({ judged }) => judged !== undefined && claimsMeet(judged, own));
  }

  /** Makes the next {@link take} tell everything, as the first one does. */
  retell(): void {
    this.#isTold = false;
    this.#changed.clear();
  }

  #noClaims(): Claims {
    return new Claims({ own: this.#own, network: this.#network, leases: this.#peers });
  }

  #find(node: string): Entry | undefined {
    if (this.#pending !== undefined) return this.#pending.get(node);
    const lease = this.#peers.get(node);
    return (
      this.#odd.get(node) ??
      (lease === undefined
        ? undefined
        : { node, order: this.#claims.orderOf(lease), judged: lease, fault: undefined })
    );
  }

  #replace(old: Entry | undefined, entry: Entry): void {
    const isSettled = this.#pending === undefined && (old === undefined || old.order === entry.order);
    if (!isSettled || (old !== undefined && !this.#withdraw(old))) {
      this.#unsettle().set(entry.node, entry);
      return;
    }
    const { placed, isBeaten } = place(entry, this.#claims);
    const row = this.#setPeer(entry.node, placed.lease);
    if (placed.lease !== undefined) this.#claims.add(placed.lease, { row, order: entry.order });
    this.#setOdd(entry.node, isOdd(placed) ? placed : undefined);
    // Someone who came later holds what this lease wants.
    if (isBeaten) this.#unsettle();
  }

  /**
   * Gives up the claims of an entry.
   *
   * @returns false, with nothing done, if somebody who lost a dispute may win it thereby
   */
  #withdraw(entry: Entry): boolean {
    if (this.#pending !== undefined) return false;
    const lease = this.#peers.get(entry.node);
    if (lease === undefined) return true;
    for (const { node, judged, clash } of this.#odd.values()) {
      if (clash === undefined || judged === undefined || node === entry.node) continue;
      if (claimsMeet(judged, lease)) return false;
    }
    this.#claims.delete(lease);
    return true;
  }

  /** Gives back the peer's row, or -1 if it is none. */
  #setPeer(node: string, lease: Lease | undefined): number {
    const row = this.#peers.ordinalOf(node);
    if (isSame(this.#peers.at(row), lease)) return row;
    if (this.#isTold) this.#changed.add(node);
    if (lease !== undefined) return this.#peers.set(lease);
    this.#peers.delete(node);
    return -1;
  }

  #setOdd(node: string, placed: Placed | undefined): void {
    if (placed !== undefined) this.#odd.set(node, placed);
    else if (!this.#odd.delete(node)) return;
    this.#isOddChanged = true;
  }

  /** Takes all entries together, to be changed at will and settled later. */
  #unsettle(): Map<string, Entry> {
    if (this.#pending !== undefined) return this.#pending;
    const pending = new Map<string, Entry>();
    for (const node of this.nodes()) {
      const entry = this.#find(node);
      if (entry !== undefined) pending.set(node, entry);
    }
    this.#pending = pending;
    return pending;
  }

  /** Goes through all entries in the order in which they were made. */
  #settle(pending: ReadonlyMap<string, Entry>): void {
    const before = this.#peers;
    this.#pending = undefined;
    this.#peers = new LeaseTable();
    this.#claims = this.#noClaims();
    this.#odd.clear();
    this.#isOddChanged = true;
    for (const entry of [...pending.values()].sort(byOrder)) {
      const { placed } = place(entry, this.#claims);
      if (isOdd(placed)) this.#odd.set(entry.node, placed);
      if (!isSame(before.get(entry.node), placed.lease)) this.#changed.add(entry.node);
      if (placed.lease === undefined) continue;
      const row = this.#peers.set(placed.lease);
      this.#claims.add(placed.lease, { row, order: entry.order });
    }
    for (const node of before.keys()) if (!pending.has(node)) this.#changed.add(node);
  }

  #listRefused(): RefusedLease[] {
    return [...this.#odd.values()]
      .sort(byOrder)
      .map(({ node, fault, clash }) => ({ node: printable(node), reason: joinFaults(fault, clash) ?? '' }));
  }
}

/**
 * What of an entry may be used: the families whose claims nobody holds.
 *
 * @returns whether one of those holders came later than the entry, too
 */
function place(entry: Entry, claims: Claims): { readonly placed: Placed; readonly isBeaten: boolean } {
  const { node, order, judged, fault } = entry;
  let lease = judged;
  let text: string | undefined;
  let isBeaten = false;
  if (judged !== undefined) {
    for (const family of FAMILIES) {
      const clash = claims.clash(judged, family);
      if (clash === undefined) continue;
      if (clash.holder !== undefined && byOrder(entry, clash.holder) < 0) isBeaten = true;
      text = joinFaults(text, clash.fault);
      lease = lease === undefined ? undefined : withoutFamily(lease, family);
    }
  }
  return { placed: { node, order, judged, fault, lease, clash: text }, isBeaten };
}

function isOdd({ fault, clash }: Placed): boolean {
  return fault !== undefined || clash !== undefined;
}

type Ordered = Pick<Entry, 'node' | 'order'>;

/** Earlier leases first. Names decide between equals, which only a tampered store has. */
function byOrder(a: Ordered, b: Ordered): number {
  if (a.order === b.order) return a.node < b.node ? -1 : 1;
  return a.order < b.order ? -1 : 1;
}

function isSame(a: Lease | undefined, b: Lease | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameLease(a, b);
}

function isSameList(a: readonly RefusedLease[], b: readonly RefusedLease[]): boolean {
  if (a === b) return true;
  return (
    a.length === b.length && a.every(({ node, reason }, i) => b[i]?.node === node && b[i]?.reason === reason)
  );
}

/** The lease without one half, or `undefined` if nothing is left of it. */
function withoutFamily(lease: Lease, family: Family): Lease | undefined {
  const rest: Lease = family === 4 ? { ...lease, ipv4: undefined } : { ...lease, ipv6: undefined };
  return rest.ipv4 === undefined && rest.ipv6 === undefined ? undefined : rest;
}
