/**
 * The engine: triggers lead to passes, a pass reads the kernel, compares it with the plan and sends the
 * difference. Events only say where to look; nothing that exists is trusted to stay.
 *
 * @module
 */
import type { Timer } from '../model/clock.ts';
import type { LeaseSet } from '../model/lease.ts';
import { type KernelObject, type Key, keyOf, sameObject } from '../model/objects.ts';
import { type Damage, damageOf, suspectOf } from './damage.ts';
import { Dirt } from './dirt.ts';
import { type Fight, Fights } from './fights.ts';
import { Holds } from './holds.ts';
import type { ReconcilerOptions } from './options.ts';
import { Pace } from './pace.ts';
import { Pass } from './pass.ts';
import {
  countPeers,
  eachPeer,
  type PeerCounts,
  type PeerProgress,
  type ProgressOptions,
} from './peer-progress.ts';
import { PeerTable } from './peer-table.ts';
import { Retries } from './retries.ts';
import { type DesiredState, type PassContext, runPass } from './run-pass.ts';
import type { Claims, Failure, Observed } from './target.ts';

/** Everything is looked at again this often although no event said so; rarer where a look costs more. */
const AUDIT_MS_MIN = 120_000;
const AUDIT_COST_FACTOR = 10_000;

/** One node's engine. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #table = new PeerTable();
  readonly #peerRetries: Retries;
  readonly #nodeRetries: Retries;
  readonly #applied = new Set<Key>();
  #dirt = new Dirt();
  #desired: DesiredState | undefined;
  /** The plan that the next pass takes up: none changes under a running pass. */
  #next: { readonly desired: DesiredState; readonly claims: Claims } | undefined;
  #nodeObjects = new Map<Key, KernelObject>();
  #claims: Claims = { links: new Set(), networks: [] };
  #leases: LeaseSet | undefined;
  readonly #holds = new Holds();
  readonly #missingLinks = new Set<string>();
  readonly #fights = new Fights();
  /** Damage that is not put right at once, since others do it again and again. */
  readonly #later = new Map<Key, { readonly dueMs: number; readonly damage: Damage }>();
  #running = false;
  #stopped = false;
  readonly #pace = new Pace();
  #notBeforeMs = 0;
  #wake: Timer | undefined;
  #audit: Timer | undefined;
  #fullPassDone = false;
  /** The same, if the leases were not complete yet. */
  #hasLooked = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#peerRetries = new Retries(options.random);
    this.#nodeRetries = new Retries(options.random);
  }

  /** Gives the engine another plan. Nothing is done before the first one, nor before the first leases. */
  setDesired(desired: DesiredState, claims: Claims, cause: string): void {
    this.#next = { desired, claims };
    this.look(cause);
  }

  /** Tells the engine that leases have changed. */
  setLeases(leases: LeaseSet, changed: ReadonlySet<string> | 'all', cause: string): void {
    const first = this.#leases === undefined;
    this.#leases = leases;
    this.#dirt.leases(changed, cause);
    const isComplete = changed === 'all' && leases.synced;
    if (isComplete) this.#holds.listed();
    // A list may settle what the last look had to leave.
    if (first || (isComplete && (this.#holds.hasStrays || !this.#fullPassDone))) this.#dirt.everything(cause);
    this.#schedule();
  }

  /** Everything has to be looked at. */
  look(cause: string): void {
    this.#dirt.everything(cause);
    this.#schedule();
  }

  /**
   * Has a pass made even if there is nothing to do, one that reads the links and ends. False if no pass can be made,
   * since there is no plan or no list of leases yet.
   */
  prove(): boolean {
    this.#dirt.proof = true;
    this.#schedule();
    return this.#leases !== undefined && (this.#desired ?? this.#next) !== undefined;
  }

  /** Something reports that an object was made or changed, or that it is `gone`. */
  moved(observed: Observed, gone: boolean): void {
    if (this.#desired === undefined) return;
    const wanted = { table: this.#table, objectsOf: this.#desired.peer, node: this.#nodeObjects };
    const damage = damageOf(observed, gone, wanted);
    if (damage === undefined) return;
    const { clock, whoIs } = this.#options;
    const key = keyOf(observed.object);
    const nowMs = clock.monotonicMs();
    const dueMs = this.#fights.damaged(key, nowMs, {
      fate: gone ? 'removes' : 'changes',
      suspect: () => suspectOf(observed, gone, whoIs),
    });
    if (dueMs > nowMs) this.#later.set(key, { dueMs, damage });
    else this.#soil(damage);
    this.#schedule();
  }

  /** Whether every known object has been brought about at least once and nothing fails. */
  get converged(): boolean {
    return (
      this.#fullPassDone &&
      this.#next === undefined &&
      this.#leases?.synced === true &&
      !this.#nodeRetries.isBlocking &&
      this.#peerRetries.size === 0 &&
      !this.#fights.isWaiting &&
      this.pendingPeers === 0
    );
  }

  /** How many known peers are not in the kernel yet, those that fail among them. */
  get pendingPeers(): number {
    if (!this.#hasLooked) return this.#leases?.peers.size ?? 0;
    let pending = 0;
    for (const peer of this.#table.peers()) if (!this.#table.isApplied(peer)) pending++;
    const { names } = this.#dirt;
    if (names === undefined || names === 'all') return pending;
    for (const name of names) if (this.#table.find(name) === undefined) pending++;
    return pending;
  }

  /** The peers, and how far each is. */
  peers(): Generator<PeerProgress> {
    return eachPeer(this.#progress());
  }

  /** How many peers are how far. */
  get peerCounts(): PeerCounts {
    return countPeers(this.#progress(), this.pendingPeers);
  }

  /** What fails at present, the node's own objects first. */
  *failures(): Generator<Failure & { readonly name: string; readonly attempts: number }> {
    for (const [name, { failure, attempts }] of this.#nodeRetries.entries())
      yield { name, attempts, ...failure };
    for (const [name, { failure, attempts }] of this.#peerRetries.entries())
      yield { name, attempts, ...failure };
  }

  /** The objects that others keep changing back. */
  fights(): readonly Fight[] {
    return this.#fights.list(this.#options.clock.monotonicMs());
  }

  /** A link that is not ours is gone: what it was in the way of is tried again at once. */
  linkGone(name: string): void {
    if (this.#nodeRetries.has('conflict')) this.look(`link ${name} is gone`);
  }

  /** Ends all activity; the kernel keeps what it has. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.cancel();
    this.#audit?.cancel();
  }

  /** The first pass after quiet runs at once; those that follow keep a distance that grows with their cost. */
  #schedule(): void {
    if (this.#running || this.#stopped || this.#leases === undefined) return;
    if (this.#desired === undefined && this.#next === undefined) return;
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    let dueMs = this.#dirt.pending ? this.#notBeforeMs : Number.POSITIVE_INFINITY;
    for (const retries of [this.#nodeRetries, this.#peerRetries]) {
      dueMs = Math.min(dueMs, Math.max(retries.nextMs() ?? Number.POSITIVE_INFINITY, this.#notBeforeMs));
    }
    for (const each of this.#later.values()) dueMs = Math.min(dueMs, Math.max(each.dueMs, this.#notBeforeMs));
    this.#wake?.cancel();
    this.#wake = undefined;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#wake = clock.schedule(Math.max(0, dueMs - nowMs), () => void this.#run());
  }

  async #run(): Promise<void> {
    const { clock, onPass, onAlive, onHeld } = this.#options;
    this.#adopt();
    if (this.#running || this.#stopped || this.#desired === undefined || this.#leases === undefined) return;
    this.#running = true;
    const startMs = clock.monotonicMs();
    if (this.#nodeRetries.due(startMs).length > 0) this.#dirt.everything('trying again');
    for (const name of this.#peerRetries.due(startMs)) {
      this.#dirt.slot(name, this.#peerRetries.get(name)?.slots ?? ~0, 'trying again');
    }
    this.#takeUpLater(startMs);
    const dirt = this.#dirt;
    this.#dirt = new Dirt();
    const pass = new Pass(dirt.cause, startMs);
    const leases = this.#leases;
    await runPass(pass, dirt, { ...this.#passContext(this.#desired), leases });
    this.#hasLooked ||= dirt.full;
    if (dirt.full) this.#fullPassDone ||= leases.synced;
    if (this.#holds.takeNeed()) onHeld();
    this.#fights.repaired(pass.repairedChanges, clock.monotonicMs());
    const durationMs = clock.monotonicMs() - startMs;
    this.#notBeforeMs = this.#pace.ended(startMs, durationMs);
    if (dirt.full) this.#planAudit(durationMs);
    this.#running = false;
    if (!this.#stopped) onAlive();
    if (!this.#stopped && dirt.substantial) onPass(pass, durationMs);
    this.#schedule();
  }

  #soil({ cause, slot }: Damage): void {
    if (slot === undefined) this.#dirt.everything(cause);
    else this.#dirt.slot(slot.node, slot.bit, cause);
  }

  /** What had to wait and is due; all of it if everything is looked at anyway. */
  #takeUpLater(nowMs: number): void {
    for (const [key, { dueMs, damage }] of this.#later) {
      if (dueMs > nowMs && !this.#dirt.full) continue;
      this.#later.delete(key);
      this.#fights.resumed(key);
      this.#soil(damage);
    }
  }

  /** Takes up the plan that was set last. */
  #adopt(): void {
    if (this.#next === undefined || this.#running) return;
    const { desired, claims } = this.#next;
    const before = this.#nodeObjects;
    this.#next = undefined;
    this.#nodeObjects = new Map(
      [...desired.node, ...desired.routes, ...desired.rules, ...desired.files].map((each) => [
        keyOf(each),
        each,
      ]),
    );
    for (const key of this.#applied) {
      const [was, is] = [before.get(key), this.#nodeObjects.get(key)];
      if (was === undefined || is === undefined || !sameObject(was, is)) this.#applied.delete(key);
    }
    this.#table.replan(this.#desired?.peer, desired.peer);
    this.#desired = desired;
    this.#claims = claims;
    this.#fullPassDone = false;
    this.#hasLooked = false;
  }

  #passContext(desired: DesiredState): Omit<PassContext, 'leases'> {
    const { target, clock, yieldNow } = this.#options;
    return {
      target,
      desired,
      claims: this.#claims,
      table: this.#table,
      peerRetries: this.#peerRetries,
      nodeRetries: this.#nodeRetries,
      applied: this.#applied,
      holds: this.#holds,
      missingLinks: this.#missingLinks,
      settled: this.#fullPassDone,
      monotonicMs: clock.monotonicMs,
      yieldNow,
      isStopped: () => this.#stopped,
    };
  }

  #progress(): ProgressOptions {
    return { table: this.#table, retries: this.#peerRetries, isSettled: this.#hasLooked };
  }

  #planAudit(costMs: number): void {
    this.#audit?.cancel();
    const delayMs = Math.max(AUDIT_MS_MIN, costMs * AUDIT_COST_FACTOR);
    this.#audit = this.#options.clock.schedule(Math.min(delayMs, 600_000), () => {
      if (this.#holds.count > 0) this.#options.onHeld();
      this.look('audit');
    });
  }
}
