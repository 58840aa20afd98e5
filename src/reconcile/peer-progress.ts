/**
 * How far each peer is.
 *
 * @module
 */
import type { Lease } from '../model/lease.ts';
import type { Peer, PeerTable } from './peer-table.ts';
import type { Retries } from './retries.ts';

/** What tells how far peers are. */
export interface ProgressOptions {
  readonly table: PeerTable;
  readonly retries: Retries;
  /** Whether everything was looked at with the present plan: before that no peer is known to be programmed. */
  readonly isSettled: boolean;
}

/** One peer, and why it fails if it does. */
export interface PeerProgress {
  readonly lease: Lease;
  readonly state: 'programmed' | 'pending' | 'failed';
  readonly reason: string | undefined;
}

/** The peers one by one. */
export function* eachPeer({ table, retries, isSettled }: ProgressOptions): Generator<PeerProgress> {
  for (const peer of table.peers()) {
    const lease = table.leaseOf(peer);
    if (lease === undefined) continue;
    const reason = retries.get(lease.node)?.failure.message;
    const done = isSettled && table.isApplied(peer);
    yield { lease, state: reason !== undefined ? 'failed' : done ? 'programmed' : 'pending', reason };
  }
}

/** How many peers are how far. */
export type PeerCounts = Readonly<Record<PeerProgress['state'], number>>;

/**
 * Counts without a look at any lease: there may be thousands. `pending` is how many are not in the kernel yet, those
 * that fail and those that are not in the table yet among them.
 */
export function countPeers({ table, retries, isSettled }: ProgressOptions, pending: number): PeerCounts {
  const failing = new Set<Peer | undefined>();
  for (const [name] of retries.entries()) failing.add(table.find(name));
  failing.delete(undefined);
  let programmed = 0;
  let failingInPlace = 0;
  for (const peer of table.peers()) {
    if (!isSettled || !table.isApplied(peer)) continue;
    if (failing.has(peer)) failingInPlace++;
    else programmed++;
  }
  const failed = failing.size;
  return { programmed, pending: Math.max(0, pending - (failed - failingInPlace)), failed };
}
