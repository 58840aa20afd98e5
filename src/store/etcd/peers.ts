/**
 * The peers' leases, as lists and events of etcd tell them.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';
import type { Lease } from '../../model/lease.ts';
import type { LeaseChange } from '../../model/lease-source.ts';
import type { NetworkConfig } from '../../model/network.ts';
import { Alarm } from '../alarm.ts';
import { LeaseBook } from '../lease-book.ts';
import { rawLease } from './keys.ts';
import type { KeyValue } from './messages.ts';

/** How long peers stay that an etcd made anew does not know: their agents are about to come back. */
export const GRACE_MS = 120_000;

/** What peers are kept with. */
export interface PeersOptions {
  readonly network: NetworkConfig;
  readonly clock: Clock;
  /** Somebody's grace has ended. */
  readonly onGone: () => void;
}

/** See the module. Peers are named by their keys. */
export class Peers {
  readonly #book: LeaseBook;
  readonly #clock: Clock;
  readonly #onGone: () => void;
  /** Names that the list which is being read has. */
  #listed: Set<string> | undefined;
  /** Peers of an etcd that is gone, with the monotonic milliseconds at which they go. */
  readonly #orphans = new Map<string, number>();
  readonly #alarm: Alarm;
  #isSynced = false;

  constructor({ network, clock, onGone }: PeersOptions) {
    // No key has an empty name: the own lease is kept out by whoever enters leases here.
    this.#book = new LeaseBook({ node: '', network });
    this.#clock = clock;
    this.#onGone = onGone;
    this.#alarm = new Alarm(clock, () => this.#dropOrphans());
  }

  /** Whether a complete list was read. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Says what this node holds itself. */
  setOwn(lease: Lease): void {
    this.#book.setOwn(lease);
  }

  /** A list begins. */
  beginList(): void {
    this.#listed = new Set();
  }

  /** A key of the list is the own one: it is no peer. */
  passOver(name: string): void {
    this.#listed?.add(name);
    this.remove(name);
  }

  /** Enters what a list or an event says of a key. */
  put(name: string, keyValue: KeyValue): void {
    const raw = rawLease(name, keyValue);
    if (this.#isSynced) this.#listed?.add(raw.node);
    this.#orphans.delete(raw.node);
    this.#book.put(raw);
  }

  /** Takes a key out. */
  remove(name: string): void {
    this.#orphans.delete(name);
    this.#book.remove(name);
  }

  /**
   * The list is complete: who is not in it is gone.
   *
   * @param isNew whether it is the first of an etcd that was made anew
   */
  endList(isNew: boolean): void {
    const listed = this.#listed;
    this.#listed = undefined;
    const isFirst = !this.#isSynced;
    this.#isSynced = true;
    if (isFirst || listed === undefined) return;
    for (const node of this.#book.nodes()) {
      if (listed.has(node) || this.#orphans.has(node)) continue;
      if (isNew) {
        this.#orphans.set(node, this.#clock.monotonicMs() + GRACE_MS);
        this.#book.demote(node);
      } else this.#book.remove(node);
    }
    if (this.#orphans.size > 0) this.#alarm.setWithin(GRACE_MS);
  }

  /** See {@link LeaseBook.take}; nothing before the first list is complete. */
  take(): LeaseChange | undefined {
    return this.#isSynced ? this.#book.take() : undefined;
  }

  /** Makes the next {@link take} tell everything. */
  retell(): void {
    this.#book.retell();
  }

  close(): void {
    this.#alarm.cancel();
  }

  #dropOrphans(): void {
    const nowMs = this.#clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [node, goneAtMs] of this.#orphans) {
      if (goneAtMs <= nowMs) this.remove(node);
      else nextMs = Math.min(nextMs, goneAtMs - nowMs);
    }
    if (this.#orphans.size > 0) this.#alarm.set(nextMs);
    this.#onGone();
  }
}
