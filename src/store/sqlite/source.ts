/**
 * The embedded lease store: an SQLite file that the agents of one machine share.
 *
 * What peers hold is read whole at first, then only what is newer, when another agent has touched the sibling
 * file of the database. Nothing polls. A database that cannot be read leaves the last good leases in use.
 *
 * @module
 */
import { systemClock } from '../../clock.ts';
import { backOffMs } from '../../model/back-off.ts';
import type { Clock } from '../../model/clock.ts';
import type { Lease } from '../../model/lease.ts';
import type {
  LeaseListener,
  LeaseRequest,
  LeaseSource,
  LeaseSourceStatus,
  OwnLease,
} from '../../model/lease-source.ts';
import type { StoreObserver } from '../../model/measures.ts';
import type { NetworkConfig } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import { ok, type Result } from '../../model/result.ts';
import { Alarm } from '../alarm.ts';
import { LeaseBook } from '../lease-book.ts';
import { Teller } from '../teller.ts';
import { ChangeWatch } from './change-watch.ts';
import { DatabaseHandle } from './database-handle.ts';
import { ExpiryJudge, RETRY_MS_MAX } from './expiry.ts';
import type { StoreFailure } from './failure.ts';
import type { Holder, IsAlive } from './holder.ts';
import type { LeaseDatabase } from './lease-database.ts';
import { LeaseReader, type OwnReading } from './lease-reader.ts';
import { storedLease } from './lease-row.ts';
import { OwnLeaseKeeper } from './own-lease.ts';
import { PATIENCE_MS, Patience } from './patience.ts';

/** The least pause between a failed reading and the next, even if events come meanwhile. */
const EVENT_PAUSE_MS = 1_000;

/** What the embedded store is made of. */
export interface SqliteLeaseSourceOptions {
  /** The database; its directory is made if there is none. */
  readonly path: string;
  readonly network: NetworkConfig;
  /** The own node: the only one that leases are asked for. */
  readonly node: string;
  /** How long before its expiry the own lease is renewed: 1 to 1439. */
  readonly renewMarginMinutes: number;
  readonly clock?: Clock;
  /** Gives a number in [0, 1). */
  readonly random?: () => number;
  /** As whom leases are held, and who else runs; this process and this machine's processes if absent. */
  readonly holder?: Holder;
  readonly isAlive?: IsAlive;
  /** Takes what an operator may want to read about the store, a sentence each. */
  readonly log?: (text: string) => void;
  /** Told of every attempt to use the database. */
  readonly onUse?: StoreObserver;
}

/** The leases in an SQLite file. */
export class SqliteLeaseSource implements LeaseSource {
  readonly #node: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: (text: string) => void;
  readonly #handle: DatabaseHandle;
  readonly #book: LeaseBook;
  readonly #expiry: ExpiryJudge;
  readonly #reader: LeaseReader;
  readonly #keeper: OwnLeaseKeeper;
  readonly #watch: ChangeWatch;
  readonly #patience: Patience;
  readonly #expiryAlarm: Alarm;
  /** Set while the database cannot be read. */
  readonly #retryAlarm: Alarm;
  /** The acquisitions asked for, one after the other. */
  #acquiring: Promise<unknown> = Promise.resolve();
  #failures = 0;
  /** Monotonic milliseconds since which the database cannot be read. */
  #failingSinceMs: number | undefined;
  readonly #teller = new Teller<'read' | 'write' | 'watch'>({
    places: ['read', 'write', 'watch'],
    take: () => (this.#isSynced ? this.#book.take() : undefined),
    status: () => this.status(),
  });
  #isSynced = false;
  #isClosed = false;

  constructor(options: SqliteLeaseSourceOptions) {
    const { path, network, node, renewMarginMinutes, clock = systemClock, random = Math.random } = options;
    const { log = () => {}, onUse = () => {} } = options;
    this.#node = node;
    this.#log = log;
    this.#clock = clock;
    this.#random = random;
    this.#handle = new DatabaseHandle({ path, log, monotonicMs: clock.monotonicMs, onUse });
    this.#book = new LeaseBook({ node, network });
    this.#expiry = new ExpiryJudge(clock);
    this.#reader = new LeaseReader({ node, book: this.#book, expiry: this.#expiry });
    this.#patience = new Patience(clock, random);
    this.#retryAlarm = new Alarm(clock, () => this.#look(false));
    this.#expiryAlarm = new Alarm(clock, () => this.#look(false));
    this.#keeper = new OwnLeaseKeeper({
      node,
      network,
      handle: this.#handle,
      expiry: this.#expiry,
      clock,
      random,
      renewMarginMinutes,
      holder: options.holder,
      isAlive: options.isAlive,
      log,
      onProblem: (problem) => this.#teller.setProblem('write', problem),
      onLost: (reason) => this.#teller.listener?.onOwnLeaseLost(reason),
    });
    this.#watch = new ChangeWatch({
      path,
      clock,
      random,
      onChange: () => this.#onChange(),
      onProblem: (problem) => this.#teller.setProblem('watch', problem),
    });
  }

  /** What the store holds for a node, even if it has expired. A store that does not exist is not made. */
  async own(node: string): Promise<Result<Lease | undefined, Problem>> {
    if (!this.#handle.exists()) return ok(undefined);
    const read = await this.#patience.wait(() => this.#handle.use('own', (database) => database.row(node)));
    if (!read.ok) return read;
    return ok(read.value === undefined ? undefined : storedLease(read.value));
  }

  /**
   * Takes or updates the own lease, and keeps it renewed. A lock is waited for up to 5 s; any other problem is
   * given back at once, and the caller tries again when it likes.
   */
  acquire(request: LeaseRequest): Promise<Result<OwnLease, Problem>> {
    const acquired = this.#acquiring.then(() => this.#acquire(request));
    this.#acquiring = acquired;
    return acquired;
  }

  watch(listener: LeaseListener): void {
    this.#teller.listener = listener;
    queueMicrotask(() => {
      this.#watch.start();
      this.#look(false);
      this.#teller.tellStatus();
    });
  }

  refresh(): void {
    if (this.#isClosed || this.#teller.listener === undefined) return;
    this.#watch.check();
    this.#book.retell();
    this.#look(true);
  }

  status(): LeaseSourceStatus {
    return { name: `sqlite ${this.#handle.path}`, problem: this.#teller.problem };
  }

  ownExpiryMs(): number | undefined {
    return this.#keeper.expiresMs;
  }

  /** Ends everything; the lease stays in the store until it expires. */
  close(): void {
    this.#isClosed = true;
    this.#teller.listener = undefined;
    this.#retryAlarm.cancel();
    this.#expiryAlarm.cancel();
    this.#watch.close();
    this.#keeper.close();
    this.#patience.close();
    this.#handle.close();
  }

  async #acquire(request: LeaseRequest): Promise<Result<OwnLease, Problem>> {
    const taken = await this.#patience.wait(() => this.#keeper.take(request));
    this.#teller.setProblem('write', taken.ok ? undefined : taken.error);
    if (!taken.ok) return taken;
    if (taken.value.ok) {
      this.#book.setOwn(taken.value.value.lease);
      this.#teller.tell();
      void this.#sign();
    }
    return taken.value;
  }

  /** Who cannot write just now has its lease all the same, and signs at the next renewal. */
  async #sign(): Promise<void> {
    const signed = await this.#patience.wait(() => this.#keeper.sign());
    if (!signed.ok && !this.#isClosed) this.#log(`Cannot sign the lease: ${signed.error.message}`);
  }

  #onChange(): void {
    // What fails may itself cause events: no more than one attempt a second for them.
    if (this.#failures === 0) this.#look(false);
    else this.#retryAlarm.setWithin(EVENT_PAUSE_MS);
  }

  /** Reads what has changed; who has renewed meanwhile has not expired. */
  #look(isComplete: boolean): void {
    if (this.#isClosed || this.#teller.listener === undefined) return;
    this.#retryAlarm.cancel();
    const reading = this.#handle.use('read', (database) => {
      if (!this.#isSynced) this.#presumeOwn(database);
      const own = isComplete ? this.#reader.readComplete(database) : this.#reader.read(database);
      return { own, nextMs: this.#reader.dropGone(database, this.#clock.nowMs()) };
    });
    if (reading.ok) this.#onReading(reading.value.own, reading.value.nextMs);
    else this.#onFailure(reading.error);
  }

  /** Before anything is acquired, what the store holds for us is ours: no peer may claim it. */
  #presumeOwn(database: LeaseDatabase): void {
    if (this.#keeper.isHeld) return;
    const row = database.row(this.#node);
    this.#book.setOwn(row === undefined ? undefined : storedLease(row));
  }

  #onReading(own: OwnReading, nextMs: number | undefined): void {
    this.#failures = 0;
    this.#failingSinceMs = undefined;
    this.#isSynced = true;
    this.#teller.setProblem('read', undefined);
    if (own !== 'unread') this.#keeper.compare(own);
    this.#keeper.check();
    if (nextMs === undefined) this.#expiryAlarm.cancel();
    else this.#expiryAlarm.set(nextMs);
    this.#teller.tell();
  }

  #onFailure({ busy, problem }: StoreFailure): void {
    const nowMs = this.#clock.monotonicMs();
    this.#failingSinceMs ??= nowMs;
    this.#failures++;
    if (!busy || nowMs - this.#failingSinceMs >= PATIENCE_MS) this.#teller.setProblem('read', problem);
    this.#retryAlarm.set(backOffMs(this.#failures, { random: this.#random, longestMs: RETRY_MS_MAX }));
  }
}
