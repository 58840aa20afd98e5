/**
 * Leases in etcd, shared with flanneld's nodes.
 *
 * What peers hold is read whole at first, then followed by a watch. An etcd that cannot be reached leaves the last
 * good leases in use; it is tried again by itself, and an acquisition waits for it.
 *
 * @module
 */

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
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import { Teller } from '../teller.ts';
import { Survey } from './choice.ts';
import type { EtcdClient } from './client.ts';
import { etcdProblem } from './failure.ts';
import { Follower, PAUSE_MS_MAX } from './follower.ts';
import { leaseDirectory } from './keys.ts';
import { type KeyEvent, type KeyValue, keysBelow } from './messages.ts';
import { OwnLeaseKeeper } from './own-lease.ts';
import { Peers } from './peers.ts';
import { sleep } from './sleep.ts';

/** The longest pause after a lost race: the others are done within a moment. */
const RACE_PAUSE_MS_MAX = 500;

/** What the store is made of. */
export interface EtcdLeaseSourceOptions {
  /** Such as `etcd http://10.0.0.1:2379`. */
  readonly name: string;
  readonly client: EtcdClient;
  /** Such as `/coreos.com/network`. */
  readonly prefix: string;
  readonly network: NetworkConfig;
  /** How long before its expiry the own lease is renewed: 1 to 1439. */
  readonly renewMarginMinutes: number;
  readonly clock: Clock;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
  /** Takes what an operator may want to read about the store, a sentence each. */
  readonly log: (text: string) => void;
  /** Told of every attempt to use etcd. */
  readonly onUse: StoreObserver;
}

/** See the module. */
export class EtcdLeaseSource implements LeaseSource {
  readonly #options: EtcdLeaseSourceOptions;
  /** What the keys of leases begin with. */
  readonly #directory: string;
  readonly #peers: Peers;
  readonly #keeper: OwnLeaseKeeper;
  readonly #follower: Follower;
  readonly #closing = new AbortController();
  /** The acquisitions asked for, one after the other. */
  #acquiring: Promise<unknown> = Promise.resolve();
  readonly #teller = new Teller<'read' | 'write'>({
    places: ['read', 'write'],
    take: () => (this.#peers.isSynced ? this.#peers.take() : undefined),
    status: () => this.status(),
  });
  /** Whether the list that is being read has the own key. */
  #isOwnListed = false;
  /** The list of all leases has begun. */
  #isFollowing = false;
  /** Who looks at the first list, too. */
  #first: { readonly survey: Survey; readonly resolve: (survey: Survey | undefined) => void } | undefined;

  constructor(options: EtcdLeaseSourceOptions) {
    const { client, network, clock, random, onUse } = options;
    this.#options = options;
    this.#directory = leaseDirectory(options.prefix, network);
    this.#peers = new Peers({ network, clock, onGone: () => this.#teller.tell() });
    this.#keeper = new OwnLeaseKeeper({
      ...options,
      directory: this.#directory,
      onProblem: (trouble) => this.#teller.setProblem('write', trouble),
      onLost: (reason) => this.#teller.listener?.onOwnLeaseLost(reason),
      onForeign: (event) => this.#enter(event),
    });
    this.#follower = new Follower({
      client,
      clock,
      random,
      keys: keysBelow(this.#directory),
      listener: {
        onListBegin: () => {
          this.#isOwnListed = false;
          this.#peers.beginList();
        },
        onListed: (keyValue) => this.#onListed(keyValue),
        onListEnd: ({ revision }, isNew) => {
          if (isNew) this.#keeper.doubt();
          else if (!this.#isOwnListed) this.#keeper.miss(revision);
          this.#presumeOwn();
          this.#peers.endList(isNew);
          this.#teller.tell();
        },
        onEvents: (events) => {
          for (const event of events) this.#onEvent(event);
          this.#teller.tell();
        },
        onState: (failure) => this.#teller.setProblem('read', failure && etcdProblem(failure)),
        onRead: (durationMs, isOk) => {
          onUse('read', durationMs, isOk);
          this.#endFirstList(isOk);
        },
      },
    });
  }

  /** Nodes have no names in etcd, and no address is known yet: nothing can be found. */
  async own(): Promise<Result<Lease | undefined, Problem>> {
    return ok(undefined);
  }

  /** Takes or updates the own lease, and keeps it renewed. Waits for as long as etcd does not do its part. */
  acquire(request: LeaseRequest): Promise<Result<OwnLease, Problem>> {
    const survey = this.#isFollowing ? undefined : this.#surveyFirstList(request);
    const acquired = this.#acquiring.then(() => this.#acquire(request, survey));
    this.#acquiring = acquired;
    return acquired;
  }

  watch(listener: LeaseListener): void {
    this.#teller.listener = listener;
    queueMicrotask(() => {
      if (this.#isClosed) return;
      this.#isFollowing = true;
      this.#follower.start();
      this.#teller.tellStatus();
    });
  }

  refresh(): void {
    if (this.#isClosed || this.#teller.listener === undefined) return;
    this.#peers.retell();
    this.#follower.again();
  }

  status(): LeaseSourceStatus {
    return { name: this.#options.name, problem: this.#teller.problem };
  }

  ownExpiryMs(): number | undefined {
    return this.#keeper.expiresMs;
  }

  /** Ends everything; the lease stays in etcd until it expires. */
  close(): void {
    this.#teller.listener = undefined;
    this.#closing.abort();
    this.#endFirstList(false);
    this.#follower.close();
    this.#peers.close();
    this.#keeper.close();
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * An agent asks for its lease in the moment in which it begins to listen: then both read the same list.
   *
   * @returns what the list says, or nothing if it could not be read
   */
  #surveyFirstList(request: LeaseRequest): Promise<Survey | undefined> | undefined {
    if (this.#teller.listener === undefined) return undefined;
    const survey = new Survey(request, this.#options.network);
    return new Promise((resolve) => {
      this.#first = { survey, resolve };
    });
  }

  /** Before anything is acquired, what etcd holds for this node is no peer's. */
  #presumeOwn(): void {
    for (const { name } of this.#first?.survey.own ?? []) this.#peers.remove(name);
  }

  /** The first list is over. */
  #endFirstList(isOk: boolean): void {
    this.#first?.resolve(isOk ? this.#first.survey : undefined);
    this.#first = undefined;
  }

  async #acquire(
    request: LeaseRequest,
    surveying: Promise<Survey | undefined> | undefined,
  ): Promise<Result<OwnLease, Problem>> {
    let survey = await surveying;
    const { clock, random } = this.#options;
    const before = this.#keeper.held?.name;
    for (let failures = 1; !this.#isClosed; failures++) {
      const taken = await this.#keeper.take(request, survey);
      survey = undefined;
      if (this.#isClosed) break;
      if (taken.ok) {
        this.#teller.setProblem('write', undefined);
        const { lease, name } = taken.value;
        this.#peers.remove(name);
        this.#peers.setOwn(lease);
        this.#teller.tell();
        // What the key of before holds now is a peer's or nobody's.
        if (before !== undefined && before !== name) this.#follower.again();
        return ok({ lease, expiresAtMs: this.#keeper.expiresMs });
      }
      const { error } = taken;
      if (error.kind === 'denied') return fail(error.problem);
      const isRaced = error.kind === 'raced';
      if (!isRaced) this.#teller.setProblem('write', etcdProblem(error.failure));
      const longestMs = isRaced ? RACE_PAUSE_MS_MAX : PAUSE_MS_MAX;
      const pauseMs = backOffMs(failures, { random, firstMs: isRaced ? 20 : 100, longestMs });
      await sleep(clock, pauseMs, this.#closing.signal);
    }
    return fail(problem('store-unavailable', 'The lease store was closed'));
  }

  #nameOf({ key }: KeyValue): string {
    return key.slice(this.#directory.length);
  }

  #onListed(keyValue: KeyValue): void {
    const name = this.#nameOf(keyValue);
    this.#first?.survey.see(name, keyValue);
    if (!this.#keeper.owns(name)) {
      this.#peers.put(name, keyValue);
      return;
    }
    this.#isOwnListed = true;
    this.#peers.passOver(name);
    this.#keeper.hear(name, { isDelete: false, keyValue });
  }

  #onEvent(event: KeyEvent): void {
    const name = this.#nameOf(event.keyValue);
    if (this.#keeper.owns(name)) this.#keeper.hear(name, event);
    else this.#enter(event);
  }

  #enter({ isDelete, keyValue }: KeyEvent): void {
    const name = this.#nameOf(keyValue);
    if (isDelete) this.#peers.remove(name);
    else this.#peers.put(name, keyValue);
    this.#teller.tell();
  }
}
