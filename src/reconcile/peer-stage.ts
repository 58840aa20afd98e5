/**
 * The peers' objects: up to tens of thousands, so neither what is wanted nor what is there is ever held as a
 * whole. A look streams the kernel's objects past the table; what was not seen is missing.
 *
 * @module
 */
import type { Lease } from '../model/lease.ts';
import { type KernelObject, keyOf } from '../model/objects.ts';
import { difference } from './diff.ts';
import { exceedsBlastLimit } from './lease-sync.ts';
import type { Pass } from './pass.ts';
import type { PeerEntry, PeerTable } from './peer-table.ts';
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
  readonly objectsOf: (lease: Lease) => readonly KernelObject[];
  readonly monotonicMs: () => number;
  readonly yieldNow: () => Promise<void>;
}

/** What a look at the peers' objects has found besides what the table marks. */
export interface PeerLook {
  /** Ours, and nobody wants it. */
  readonly stale: readonly Change[];
  /** How many of them stay until a second list agrees. */
  readonly held: number;
  readonly failure: Failure | undefined;
}

/** Streams all routes, neighbours and forwarding entries past the table. */
export function lookAtPeers(
  { target, claims, table, objectsOf }: PeerStage,
  { mayRemove, confirmed }: { mayRemove: boolean; confirmed: boolean },
): PeerLook {
  const stale: Change[] = [];
  let ownRoutes = 0;
  for (const entry of table.entries()) {
    entry.seen = 0;
    entry.present = 0;
  }
  const failure = target.observe('peers', { claims, probe: [] }, ({ object, owner }) => {
    const key = keyOf(object);
    if (owner === 'ours' && object.kind === 'route') ownRoutes++;
    const holder = table.ownerOf(key);
    if (holder === undefined) {
      if (owner === 'ours') stale.push({ verb: 'remove', key, object, why: 'no lease for it' });
      return;
    }
    const { entry, slot } = holder;
    entry.present |= 1 << slot;
    const want = objectsOf(entry.lease)[slot];
    if (want !== undefined && difference(want, object) === undefined) entry.seen |= 1 << slot;
  });
  const staleRoutes = stale.filter(({ object }) => object.kind === 'route').length;
  const hold = !mayRemove || (exceedsBlastLimit(staleRoutes, ownRoutes) && !confirmed);
  return { stale: hold ? [] : stale, held: hold ? stale.length : 0, failure };
}

/** The objects to bring about: bits are slots. */
export type WantedSlots = ReadonlyMap<PeerEntry, number>;

/** After a look: all that was not seen to be right. */
export function unseenSlots({ table, retries }: PeerStage): Map<PeerEntry, number> {
  const wanted = new Map<PeerEntry, number>();
  for (const entry of table.entries()) {
    const missing = entry.slots & ~entry.seen;
    entry.applied |= entry.seen & entry.slots;
    if (missing !== 0) wanted.set(entry, missing);
    else retries.cleared(entry.lease.node);
  }
  return wanted;
}

/** Brings the wanted slots about, in batches, yielding between them. */
export async function applySlots(stage: PeerStage, wanted: WantedSlots): Promise<void> {
  const { objectsOf, monotonicMs, yieldNow } = stage;
  let batch: PeerChange[] = [];
  let heldSinceMs = monotonicMs();
  for (const [entry, slots] of wanted) {
    const objects = objectsOf(entry.lease);
    for (let slot = 0; slot < objects.length; slot++) {
      const object = objects[slot];
      if (object === undefined || (slots & entry.slots & (1 << slot)) === 0) continue;
      const key = keyOf(object);
      const present = (entry.present & (1 << slot)) !== 0;
      const why = present ? 'was changed' : 'was missing';
      batch.push({ entry, slot, verb: present ? 'replace' : 'create', key, object, why });
    }
    if (batch.length < CHANGES_PER_BATCH) continue;
    applyBatch(stage, batch);
    batch = [];
    if (monotonicMs() - heldSinceMs < HOLD_MS_MAX) continue;
    await yieldNow();
    heldSinceMs = monotonicMs();
  }
  applyBatch(stage, batch);
}

interface PeerChange extends Change {
  readonly entry: PeerEntry;
  readonly slot: number;
}

function applyBatch({ target, pass, retries, monotonicMs }: PeerStage, batch: readonly PeerChange[]): void {
  const failing = new Map<PeerEntry, Failure>();
  let i = 0;
  pass.apply(target, batch, (_, failure) => {
    const change = batch[i++];
    if (change === undefined) return;
    const { entry, slot } = change;
    const bit = 1 << slot;
    if (failure !== undefined) {
      failing.set(entry, failure);
    } else {
      if ((entry.applied & bit) !== 0) pass.repaired(change);
      entry.applied |= bit;
      entry.present |= bit;
    }
  });
  for (const [entry, failure] of failing) retries.failed(entry.lease.node, failure, monotonicMs());
  if (retries.size === 0) return;
  for (const { entry } of batch) if (!failing.has(entry)) retries.cleared(entry.lease.node);
}
