/**
 * Follows the keys of a range: a complete list, then every change, for as long as it is not closed. What fails is
 * tried again with jittered pauses of less than two seconds.
 *
 * @module
 */
import { backOffMs } from '../../model/back-off.ts';
import type { Clock } from '../../model/clock.ts';
import type { EtcdClient, ListHeader } from './client.ts';
import type { EtcdFailure } from './failure.ts';
import type { KeyEvent, KeyRange, KeyValue } from './messages.ts';
import { sleep } from './sleep.ts';
import { watchKeys } from './watch-stream.ts';

/** The longest pause: an etcd that is back is found within two seconds. */
export const PAUSE_MS_MAX = 1_800;

/** A watch that lasted this long was no failure from the start. */
const STEADY_MS = 5_000;

/** Who is told of keys. */
export interface FollowerListener {
  /** A list begins. */
  readonly onListBegin: () => void;
  readonly onListed: (keyValue: KeyValue) => void;
  /**
   * A list is complete.
   *
   * @param isNew whether etcd is another, or was set back, since the last list
   */
  readonly onListEnd: (header: ListHeader, isNew: boolean) => void;
  readonly onEvents: (events: readonly KeyEvent[]) => void;
  /** It fails, or works again. */
  readonly onState: (failure: EtcdFailure | undefined) => void;
  /** Told of every list when it is over. */
  readonly onRead: (durationMs: number, isOk: boolean) => void;
}

/** What a follower is made of. */
export interface FollowerOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
  readonly keys: KeyRange;
  readonly listener: FollowerListener;
}

/** See the module. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #closing = new AbortController();
  /** Ends the watch of now. */
  #watching = new AbortController();
  /** What the last list and the watch after it have told of. */
  #seen: ListHeader | undefined;
  #isListDue = true;
  #failures = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Begins; it never ends by itself. */
  start(): void {
    void this.#run();
  }

  /** Has everything read again. */
  again(): void {
    this.#isListDue = true;
    this.#watching.abort();
  }

  close(): void {
    this.#closing.abort();
    this.#watching.abort();
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    while (!this.#isClosed) {
      const failure = (this.#isListDue ? await this.#list() : undefined) ?? (await this.#watch());
      if (this.#isClosed) return;
      if (failure === undefined) continue;
      if (failure.kind === 'compacted') this.#isListDue = true;
      this.#failures++;
      // The first pause is short, and often all that a server needs that was started anew.
      if (this.#failures > 1) this.#options.listener.onState(failure);
      const pauseMs = backOffMs(this.#failures, { random, longestMs: PAUSE_MS_MAX });
      await sleep(clock, pauseMs, this.#closing.signal);
    }
  }

  async #list(): Promise<EtcdFailure | undefined> {
    const { client, clock, keys, listener } = this.#options;
    const beganMs = clock.monotonicMs();
    this.#isListDue = false;
    listener.onListBegin();
    const list = await client.list(keys, (keyValue) => {
      if (!this.#isClosed) listener.onListed(keyValue);
    });
    if (this.#isClosed) return undefined;
    const durationMs = clock.monotonicMs() - beganMs;
    if (!list.ok) {
      listener.onRead(durationMs, false);
      this.#isListDue = true;
      return list.error;
    }
    const seen = this.#seen;
    const isNew =
      seen !== undefined && (seen.clusterId !== list.value.clusterId || seen.revision > list.value.revision);
    this.#seen = list.value;
    listener.onListEnd(list.value, isNew);
    listener.onRead(durationMs, true);
    return undefined;
  }

  async #watch(): Promise<EtcdFailure | undefined> {
    const { client, clock, keys, listener } = this.#options;
    const seen = this.#seen;
    if (seen === undefined || this.#isListDue) return undefined;
    this.#watching = new AbortController();
    let createdMs = Number.POSITIVE_INFINITY;
    const end = await watchKeys({
      gateway: client.gateway,
      clock,
      keys,
      startRevision: seen.revision + 1,
      signal: this.#watching.signal,
      onCreated: ({ clusterId, revision }) => {
        createdMs = clock.monotonicMs();
        listener.onState(undefined);
        // A store that was made anew, or restored from a copy, has not come as far as we have.
        if (clusterId !== seen.clusterId || revision < seen.revision) this.again();
      },
      onEvents: (events, revision) => {
        if (revision !== undefined && this.#seen !== undefined) this.#seen = { ...this.#seen, revision };
        listener.onEvents(events);
      },
    });
    if (clock.monotonicMs() - createdMs > STEADY_MS) this.#failures = 0;
    return end.ok ? undefined : end.error;
  }
}
