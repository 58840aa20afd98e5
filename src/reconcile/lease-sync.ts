/**
 * Brings the peer table in line with the leases, and finds what is to be removed from the kernel because its
 * lease is gone or has changed.
 *
 * @module
 */
import { type Lease, type LeaseSet, sameLease } from '../model/lease.ts';
import { type KernelObject, keyOf } from '../model/objects.ts';
import type { PeerEntry, PeerTable } from './peer-table.ts';
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
  readonly objectsOf: (lease: Lease) => readonly KernelObject[];
  /** Whether a second complete list has agreed with a large removal. */
  readonly confirmed: boolean;
}

/** What follows from the leases. */
export interface LeaseSync {
  /** Objects of leases that are gone or have changed. */
  readonly removals: readonly Change[];
  /** Peers whose objects are new or different. */
  readonly touched: readonly PeerEntry[];
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
  const release = (entry: PeerEntry) => {
    const objects = objectsOf(entry.lease);
    table.release(entry, objects);
    before.push(...objects);
  };
  // All that goes is released before anything is claimed: a subnet may pass from one node to another.
  for (const entry of departing) {
    release(entry);
    table.remove(entry);
  }
  for (const { entry } of different) release(entry);
  const touched: PeerEntry[] = [];
  for (const { entry, lease } of different) {
    entry.lease = lease;
    table.claim(entry, objectsOf(lease));
    touched.push(entry);
  }
  for (const lease of added) {
    const entry = table.add(lease);
    table.claim(entry, objectsOf(lease));
    touched.push(entry);
  }
  return {
    removals: unclaimed(table, before),
    touched,
    departed: departing.map((entry) => entry.lease.node),
    held: hold ? gone.length : 0,
  };
}

interface LeaseComparison {
  readonly gone: readonly PeerEntry[];
  readonly different: readonly { readonly entry: PeerEntry; readonly lease: Lease }[];
  readonly added: readonly Lease[];
}

function compareLeases(
  table: PeerTable,
  leases: LeaseSet,
  names: ReadonlySet<string> | 'all',
): LeaseComparison {
  const gone: PeerEntry[] = [];
  const different: { entry: PeerEntry; lease: Lease }[] = [];
  const added: Lease[] = [];
  const compare = (name: string) => {
    const entry = table.get(name);
    const lease = leases.peers.get(name);
    if (lease === undefined) {
      if (entry !== undefined) gone.push(entry);
    } else if (entry === undefined) {
      added.push(lease);
    } else if (!sameLease(entry.lease, lease)) {
      different.push({ entry, lease });
    }
  };
  if (names !== 'all') {
    for (const name of names) compare(name);
  } else {
    for (const name of leases.peers.keys()) compare(name);
    for (const entry of table.entries()) if (!leases.peers.has(entry.lease.node)) gone.push(entry);
  }
  return { gone, different, added };
}

/** Of the objects that were planned before, those that nobody plans now. */
function unclaimed(table: PeerTable, before: readonly KernelObject[]): Change[] {
  const changes: Change[] = [];
  for (const object of before) {
    const key = keyOf(object);
    if (table.ownerOf(key) === undefined)
      changes.push({ verb: 'remove', key, object, why: 'lease gone or changed' });
  }
  return changes;
}
