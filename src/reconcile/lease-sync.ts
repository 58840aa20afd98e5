/**
 * Brings the peer table in line with the leases, and finds what is to be removed from the kernel because its
 * lease is gone or has changed.
 *
 * @module
 */
import type { LeaseSet } from '../model/lease.ts';
import { type KernelObject, keyOf } from '../model/objects.ts';
import type { Holds } from './holds.ts';
import type { ObjectsOf, Peer, PeerTable } from './peer-table.ts';
import type { Change } from './target.ts';

/** What {@link syncLeases} is told. */
export interface LeaseSyncOptions {
  readonly leases: LeaseSet;
  /** The peers to compare. */
  readonly names: ReadonlySet<string> | 'all';
  readonly objectsOf: ObjectsOf;
  /** Keeps peers whose lease is gone until a second list agrees, if they are many. */
  readonly holds: Holds;
}

/** What follows from the leases. */
export interface LeaseSync {
  /** Objects of leases that are gone or have changed. */
  readonly removals: readonly Change[];
  /** Peers whose objects are new or different. */
  readonly touched: readonly Peer[];
  /** The names of those that are gone. */
  readonly departed: readonly string[];
}

/** See the module. Nothing is removed before the leases are synced. */
export function syncLeases(table: PeerTable, options: LeaseSyncOptions): LeaseSync {
  const { leases, objectsOf, holds } = options;
  const { gone, different, added } = compareLeases(table, options);
  const departed = leases.synced ? holds.release(gone, table.size) : [];
  const before: KernelObject[] = [];
  const release = (peer: Peer) => {
    const lease = table.leaseOf(peer);
    const objects = lease === undefined ? [] : objectsOf(lease);
    table.release(peer, objects);
    before.push(...objects);
  };
  // All that goes is released before anything is claimed: a subnet may pass from one node to another.
  for (const node of departed) {
    const peer = table.find(node) ?? -1;
    release(peer);
    table.remove(peer);
  }
  for (const node of different) release(table.find(node) ?? -1);
  const touched: Peer[] = [];
  for (const names of [different, added]) {
    for (const node of names) {
      const lease = leases.peers.get(node);
      if (lease === undefined) continue;
      const peer = table.set(lease);
      table.claim(peer, lease, objectsOf);
      touched.push(peer);
    }
  }
  // What was released may be what another peer has been waiting for.
  if (before.length > 0) touched.push(...table.claimShadowed(objectsOf));
  return { removals: unclaimed(table, before, objectsOf), touched, departed };
}

/** Names, not leases: of a first list there are thousands, and each is made from its text when it is its turn. */
interface LeaseComparison {
  readonly gone: readonly string[];
  readonly different: readonly string[];
  readonly added: readonly string[];
}

function compareLeases(table: PeerTable, { leases, names, holds }: LeaseSyncOptions): LeaseComparison {
  const gone: string[] = [];
  const different: string[] = [];
  const added: string[] = [];
  for (const name of names === 'all' ? leases.peers.keys() : names) {
    const peer = table.find(name);
    if (peer === undefined) {
      if (leases.peers.has(name)) added.push(name);
      continue;
    }
    const lease = leases.peers.get(name);
    if (lease === undefined) {
      gone.push(name);
      continue;
    }
    holds.returned(name);
    if (!table.isPlannedBy(peer, lease)) different.push(name);
  }
  if (names === 'all') {
    for (const peer of table.peers()) {
      const node = table.leaseOf(peer)?.node;
      if (node !== undefined && !leases.peers.has(node)) gone.push(node);
    }
  }
  return { gone, different, added };
}

/** Of the objects that were planned before, those that nobody plans now. */
function unclaimed(table: PeerTable, before: readonly KernelObject[], objectsOf: ObjectsOf): Change[] {
  const changes: Change[] = [];
  for (const object of before) {
    if (table.holderOf(keyOf(object), objectsOf) !== undefined) continue;
    changes.push({ verb: 'remove', object, why: 'lease gone or changed' });
  }
  return changes;
}
