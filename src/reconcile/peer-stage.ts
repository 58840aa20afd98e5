/**
 * The peers' objects: up to tens of thousands, so neither what is wanted nor what is there is ever held as a
 * whole. A look streams the kernel's objects past the table; what was not seen is missing.
 *
 * @module
 */
import { type KernelObject, type Key, keyOf } from '../model/objects.ts';
import { difference } from './diff.ts';
import { exceedsBlastLimit, type Holds } from './holds.ts';
import type { Pass } from './pass.ts';
import type { ObjectsOf, Peer, PeerTable } from './peer-table.ts';
import type { Retries } from './retries.ts';
import type { Change, Claims, Failure, Target } from './target.ts';

/** How many changes go to the target at once: bounds both memory and the time between two yields. */
const CHANGES_PER_BATCH = 256;
/** How long the event loop may be held before the health endpoint gets its turn. */
const HOLD_MS_MAX = 10;

/** What the stage works with. */
export interface PeerStage {
  readonly target: Target;
  readonly claims: Claims;
  readonly table: PeerTable;
  readonly pass: Pass;
  readonly retries: Retries;
  readonly missingLinks: ReadonlySet<string>;
  readonly objectsOf: ObjectsOf;
  /** The keys of the node's own routes. */
  readonly ownRoutes: ReadonlySet<Key>;
  readonly holds: Holds;
  readonly monotonicMs: () => number;
  readonly yieldNow: () => Promise<void>;
  /** Whether nothing more is to be done, also in the middle of a pass. */
  readonly isStopped: () => boolean;
}

/** What a look at the peers' objects has found besides what the table marks. */
export interface PeerLook {
  /** Ours, nobody wants it, and it need not wait for a second list. */
  readonly stale: readonly Change[];
  /** The node's own routes that are there. */
  readonly found: ReadonlyMap<Key, KernelObject>;
  readonly failure: Failure | undefined;
}

/** Streams all routes, neighbours and forwarding entries past the table. */
export function lookAtPeers(
  { target, claims, table, objectsOf, ownRoutes, holds }: PeerStage,
  mayRemove: boolean,
): PeerLook {
  const stale: Change[] = [];
  const found = new Map<Key, KernelObject>();
  let routes = 0;
  table.seen.clear();
  table.present.clear();
  const failure = target.observe('peers', { claims, probe: [] }, ({ object, owner }) => {
    const key = keyOf(object);
    if (ownRoutes.has(key)) {
      found.set(key, object);
      return;
    }
    if (owner === 'ours' && object.kind === 'route') routes++;
    const holder = table.holderOf(key, objectsOf);
    if (holder === undefined) {
      if (owner === 'ours') stale.push({ verb: 'remove', object, why: 'no lease for it' });
      return;
    }
    const { peer, slot } = holder;
    // Of several routes to one destination the kernel shows, and takes, the first.
    if ((table.present.get(peer) & (1 << slot)) !== 0) return;
    table.present.add(peer, 1 << slot);
    if (difference(holder.object, object) === undefined) table.seen.add(peer, 1 << slot);
  });
  const staleRoutes = stale.filter(({ object }) => object.kind === 'route').length;
  const known = mayRemove && failure === undefined;
  const goes = known && holds.releaseStrays(stale.length, exceedsBlastLimit(staleRoutes, routes));
  return { stale: goes ? stale : [], found, failure };
}

/** Objects to bring about, by peer: bits are slots. */
export type WantedSlots = Iterable<readonly [Peer, number]>;

/** After a look: all that was not seen to be right. */
export function* unseenSlots({ table, retries }: PeerStage): Generator<readonly [Peer, number]> {
  for (const peer of table.peers()) {
    const slots = table.slots.get(peer);
    const seen = table.seen.get(peer);
    table.applied.add(peer, seen & slots);
    if ((slots & ~seen) !== 0) yield [peer, slots & ~seen];
    else if (retries.size > 0) retries.cleared(table.leaseOf(peer)?.node ?? '');
  }
}

/** Brings the wanted slots about, in batches, yielding between them. */
export async function applySlots(stage: PeerStage, wanted: WantedSlots): Promise<void> {
  const { monotonicMs, yieldNow, isStopped } = stage;
  let batch: PeerChange[] = [];
  let heldSinceMs = monotonicMs();
  for (const [peer, slots] of wanted) {
    addChanges(stage, batch, { peer, slots });
    if (batch.length < CHANGES_PER_BATCH) continue;
    applyBatch(stage, batch);
    batch = [];
    if (monotonicMs() - heldSinceMs < HOLD_MS_MAX) continue;
    await yieldNow();
    if (isStopped()) return;
    heldSinceMs = monotonicMs();
  }
  applyBatch(stage, batch);
}

interface PeerChange extends Change {
  readonly peer: Peer;
  readonly node: string;
  readonly bit: number;
}

/** Whether an object cannot be made as long as these links are missing. */
export function standsOn(object: KernelObject, links: ReadonlySet<string>): boolean {
  return 'link' in object && links.has(object.link);
}

function addChanges(
  { table, retries, objectsOf, missingLinks }: PeerStage,
  batch: PeerChange[],
  { peer, slots }: { peer: Peer; slots: number },
): void {
  const lease = table.leaseOf(peer);
  if (lease === undefined) return;
  const wanted = slots & table.slots.get(peer);
  const present = table.present.get(peer);
  const { node } = lease;
  // The plan has changed since something failed.
  if (wanted === 0) retries.cleared(node);
  objectsOf(lease).forEach((object, slot) => {
    const bit = 1 << slot;
    if ((wanted & bit) === 0) return;
    if (standsOn(object, missingLinks)) {
      // The link is tried again, and all that waits for it with it.
      retries.cleared(node, bit);
      return;
    }
    const isThere = (present & bit) !== 0;
    const why = isThere ? 'was changed' : 'was missing';
    batch.push({ peer, node, bit, verb: isThere ? 'replace' : 'create', object, why });
  });
}

function applyBatch(
  { target, table, pass, retries, monotonicMs }: PeerStage,
  batch: readonly PeerChange[],
): void {
  const failing = new Map<string, { readonly failure: Failure; readonly slots: number }>();
  pass.apply(target, batch, (change, failure) => {
    const { peer, node, bit } = change;
    if (failure !== undefined) {
      failing.set(node, { failure, slots: (failing.get(node)?.slots ?? 0) | bit });
    } else {
      if ((table.applied.get(peer) & bit) !== 0) pass.repaired(change);
      table.applied.add(peer, bit);
      table.present.add(peer, bit);
    }
  });
  for (const [node, { failure, slots }] of failing) {
    retries.failed(node, failure, { nowMs: monotonicMs(), slots });
  }
  if (retries.size === 0) return;
  for (const { node, bit } of batch) {
    if (((failing.get(node)?.slots ?? 0) & bit) === 0) retries.cleared(node, bit);
  }
}
