/**
 * Brings the peer table in line with the leases, and finds what is to be removed from the kernel because its
 * lease is gone or has changed.
 *
 * @module
 */
import type { LeaseSet } from '../model/lease.ts';
import { type KernelObject, keyOf } from '../model/objects.ts';
import type { ObjectsOf, Peer, PeerTable } from './peer-table.ts';
import type { Change } from './target.ts';

/** Fewer removals than this are never held back: a cluster of three may lose two. */
const HELD_MIN = 3;

/** Whether removing `count` of `total` is so much that a second list must agree first. */
export function exceedsBlastLimit(count: number, total: number): boolean {
  return count >= HELD_MIN && count * 2 > total;
}

/** What {@link syncLeases} is told. */
export interface LeaseSyncOptions {
  readonly leases: LeaseSet;
  /** The peers to compare. */
  readonly names: ReadonlySet<string> | 'all';
  readonly objectsOf: ObjectsOf;
  /** Whether a second complete list has agreed with a large removal. */
  readonly confirmed: boolean;
}

/** What follows from the leases. */
export interface LeaseSync {
  /** Objects of leases that are gone or have changed. */
  readonly removals: readonly Change[];
  /** Peers whose objects are new or different. */
  readonly touched: readonly Peer[];
  /** The names of those that are gone. */
  readonly departed: readonly string[];
  /** How many peers stay although their lease is gone, until a second list agrees. */
  readonly held: number;
}

/** See the module. Nothing is removed before the leases are synced. */
export function syncLeases(table: PeerTable, options: LeaseSyncOptions): LeaseSync {
  const { leases, names, objectsOf, confirmed } = options;
  const { gone, different, added } = compareLeases(table, leases, names);
  const hold = !leases.synced || (exceedsBlastLimit(gone.length, table.size) && !confirmed);
  const departing = hold ? [] : gone;
  const before: KernelObject[] = [];
  const release = (peer: Peer) => {
    const lease = table.leaseOf(peer);
    const objects = lease === undefined ? [] : objectsOf(lease);
    table.release(peer, objects);
    before.push(...objects);
  };
  // All that goes is released before anything is claimed: a subnet may pass from one node to another.
  const departed = departing.map((peer) => table.leaseOf(peer)?.node ?? '');
  for (const peer of departing) {
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
  return { removals: unclaimed(table, before, objectsOf), touched, departed, held: hold ? gone.length : 0 };
}

/** Names, not leases: of a first list there are thousands, and each is made from its text when it is its turn. */
interface LeaseComparison {
  readonly gone: readonly Peer[];
  readonly different: readonly string[];
  readonly added: readonly string[];
}

function compareLeases(
  table: PeerTable,
  leases: LeaseSet,
  names: ReadonlySet<string> | 'all',
): LeaseComparison {
  const gone: Peer[] = [];
  const different: string[] = [];
  const added: string[] = [];
  for (const name of names === 'all' ? leases.peers.keys() : names) {
    const peer = table.find(name);
    if (peer === undefined) {
      if (leases.peers.has(name)) added.push(name);
      continue;
    }
    const lease = leases.peers.get(name);
    if (lease === undefined) gone.push(peer);
    else if (!table.isPlannedBy(peer, lease)) different.push(name);
  }
  if (names === 'all') {
    for (const peer of table.peers()) {
      const node = table.leaseOf(peer)?.node;
      if (node !== undefined && !leases.peers.has(node)) gone.push(peer);
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
