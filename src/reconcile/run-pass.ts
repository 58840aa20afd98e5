/**
 * One pass: what is looked at, in which order what differs is changed. The order is that of the dependencies:
 * links, what stands on them, peers, and only then what tells others that all of it is there.
 *
 * @module
 */
import type { Lease, LeaseSet } from '../model/lease.ts';
import { type KernelObject, type Key, keyOf } from '../model/objects.ts';
import type { Dirt } from './dirt.ts';
import type { Holds } from './holds.ts';
import { syncLeases } from './lease-sync.ts';
import { bringAbout, type NodeStage, runNodeStage } from './node-stage.ts';
import type { Pass } from './pass.ts';
import { applySlots, lookAtPeers, type PeerStage, standsOn, unseenSlots } from './peer-stage.ts';
import type { Peer, PeerTable } from './peer-table.ts';
import type { Retries } from './retries.ts';
import type { Change, Claims, Target } from './target.ts';

/** The desired state as the engine takes it: `src/plan` makes it. */
export interface DesiredState {
  readonly node: readonly KernelObject[];
  /** The node's own routes: they are looked at together with those to peers. */
  readonly routes: readonly KernelObject[];
  /** Tables of traffic rules, and ours in those of others: their trouble keeps nothing else from being made. */
  readonly rules: readonly KernelObject[];
  readonly files: readonly KernelObject[];
  readonly peer: (lease: Lease) => readonly KernelObject[];
}

/** What a pass works with: frozen while it runs. */
export interface PassContext {
  readonly target: Target;
  readonly desired: DesiredState;
  readonly claims: Claims;
  readonly leases: LeaseSet;
  readonly table: PeerTable;
  readonly peerRetries: Retries;
  readonly nodeRetries: Retries;
  /** The node's own objects that were right before: to change them is a repair. */
  readonly applied: Set<Key>;
  readonly holds: Holds;
  /** The links that the last full pass could not bring about: what stands on them has to wait. */
  readonly missingLinks: Set<string>;
  /** Whether everything was looked at with this plan before: what is stray since then was put there by others. */
  readonly settled: boolean;
  readonly monotonicMs: () => number;
  readonly yieldNow: () => Promise<void>;
  readonly isStopped: () => boolean;
}

/** Runs a pass over what is dirty, and notes what it did in `pass`. */
export async function runPass(pass: Pass, dirt: Dirt, context: PassContext): Promise<void> {
  const { table, desired, leases, holds, peerRetries } = context;
  const names = dirt.names ?? new Set<string>();
  pass.full = dirt.full;
  // What it finds is nobody's concern here: it shows that the kernel answers.
  if (dirt.proof) context.target.observe('links', { claims: context.claims, probe: [] }, () => undefined);
  const sync = syncLeases(table, { leases, names, objectsOf: desired.peer, holds });
  for (const name of sync.departed) peerRetries.cleared(name);
  const stage = nodeStage(pass, context);
  if (dirt.full) {
    await fullPass(context, stage, sync.removals);
    for (const [name] of [...context.nodeRetries.entries()]) {
      if (!stage.failing.has(name)) context.nodeRetries.cleared(name);
    }
  } else {
    remove(stage, sync.removals);
    await applySlots(peerStage(pass, context), wantedSlots(dirt, sync.touched, context));
  }
  pass.held = holds.count;
}

async function fullPass(context: PassContext, stage: NodeStage, removals: readonly Change[]): Promise<void> {
  const { desired, leases, holds, settled } = context;
  const { pass, onFailure } = stage;
  const peers = peerStage(pass, context);
  const isLink = (object: KernelObject) => object.kind === 'link';
  const isTable = (object: KernelObject) => object.kind === 'table';
  const links = desired.node.filter(isLink);
  const staleLinks = runNodeStage('links', links, stage);
  if (stage.failing.has('look links')) return;
  noteMissingLinks(links, stage, context.missingLinks);
  const rest = desired.node.filter((object) => !isLink(object) && !standsOn(object, context.missingLinks));
  const strays = runNodeStage('node', rest, stage);
  const mayPromise = hasWholeLink(desired.node, stage);
  remove(stage, removals);
  if (leases.synced) remove(stage, strays, settled);
  const wereHeld = holds.hasStrays;
  const look = lookAtPeers(peers, leases.synced);
  if (look.failure === undefined) {
    await applySlots(peers, unseenSlots(peers));
    bringAbout(desired.routes, look.found, stage);
    if (context.isStopped()) return;
    // The routes have moved to where they are wanted: what they stood on before can go without loss.
    remove(stage, look.stale, settled && !wereHeld);
    if (leases.synced) remove(stage, staleLinks, settled);
  } else {
    pass.fail(look.failure);
    onFailure('look peers' as Key, look.failure);
  }
  const [tables, passages] = [desired.rules.filter(isTable), desired.rules.filter((each) => !isTable(each))];
  remove(stage, runNodeStage('rules', tables, stage), settled);
  // Others may have thousands of chains: our own rules do not wait for them.
  remove(stage, runNodeStage('chains', passages, stage), settled);
  // A pod that is made by a file whose promise does not hold would have no network for all its life.
  if (mayPromise) runNodeStage('files', desired.files, stage);
}

/** Whether at least one device works: one family's trouble does not keep the other from its pods. */
function hasWholeLink(node: readonly KernelObject[], { failing }: NodeStage): boolean {
  const links = new Set<string>();
  const broken = new Set<string>();
  for (const object of node) {
    const name = object.kind === 'link' ? object.name : 'link' in object ? object.link : undefined;
    if (object.kind === 'link') links.add(object.name);
    if (name !== undefined && failing.has(keyOf(object))) broken.add(name);
  }
  const isRead = !failing.has('look node');
  return isRead && (links.size === 0 || [...links].some((name) => !broken.has(name)));
}

function noteMissingLinks(
  links: readonly KernelObject[],
  { failing }: NodeStage,
  missing: Set<string>,
): void {
  missing.clear();
  for (const object of links)
    if (object.kind === 'link' && failing.has(keyOf(object))) missing.add(object.name);
}

/** What cannot be removed is found again by the look that its failure brings about. */
function remove(
  { target, pass, onFailure }: NodeStage,
  changes: readonly Change[],
  isRepair: boolean = false,
): void {
  pass.apply(target, changes, (change, failure) => {
    if (failure !== undefined) onFailure(`remove ${keyOf(change.object)}` as Key, failure);
    else if (isRepair) pass.repaired(change);
  });
}

/** The peers of changed leases whole; of the others what was reported, and what fails. */
function wantedSlots(
  dirt: Dirt,
  touched: readonly Peer[],
  { table, peerRetries }: PassContext,
): Map<Peer, number> {
  const wanted = new Map<Peer, number>();
  for (const peer of touched) wanted.set(peer, ~0);
  for (const [name, slots] of dirt.slots) {
    const peer = table.find(name);
    if (peer === undefined) peerRetries.cleared(name);
    else wanted.set(peer, (wanted.get(peer) ?? 0) | slots | (peerRetries.get(name)?.slots ?? 0));
  }
  return wanted;
}

function nodeStage(pass: Pass, context: PassContext): NodeStage {
  const failing = new Set<string>();
  const { target, claims, applied, nodeRetries, monotonicMs } = context;
  return {
    target,
    claims,
    pass,
    applied,
    failing,
    onFailure: (key, failure) => {
      failing.add(key);
      nodeRetries.failed(key, failure, { nowMs: monotonicMs() });
    },
  };
}

function peerStage(pass: Pass, context: PassContext): PeerStage {
  const { peer, routes } = context.desired;
  const ownRoutes = new Set(routes.map(keyOf));
  return { ...context, pass, retries: context.peerRetries, objectsOf: peer, ownRoutes };
}
