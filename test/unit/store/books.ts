/**
 * Lease books for tests, and what they tell.
 *
 * @module
 */
import type { Lease } from '../../../src/model/lease.ts';
import type { LeaseChange } from '../../../src/model/lease-source.ts';
import type { RawLease } from '../../../src/store/accept.ts';
import { LeaseBook } from '../../../src/store/lease-book.ts';
import { network, sure } from './samples.ts';

/** The book of node `me` with these leases, entered in this order. */
export function openBook(...leases: RawLease[]): LeaseBook {
  const book = new LeaseBook({ node: 'me', network: network() });
  for (const raw of leases) book.put(raw);
  return book;
}

/** The change that the book has to tell. */
export function take(book: LeaseBook): LeaseChange {
  return sure(book.take(), 'change');
}

/** Everything a change shows, in a form to compare. */
export function shown(change: LeaseChange) {
  const peers: Record<string, Lease | undefined> = {};
  for (const node of change.set.peers.keys()) peers[node] = change.set.peers.get(node);
  return { peers, refused: change.set.refused };
}
