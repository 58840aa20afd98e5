/**
 * All Nodes, listed once and then followed: the list comes as the beginning of the watch where the server can do so
 * (KEP-3157), else in pages. Whatever breaks is taken up again where it was, or from the beginning.
 *
 * @module
 */
import { backOffMs } from '../../model/back-off.ts';
import type { Clock, Timer } from '../../model/clock.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import type { KubeApi } from './api.ts';
import { EventReader, type NodeSink } from './event-reader.ts';
import { type Asked, type FailureKind, failureOfForm, type KubeFailure } from './failure.ts';
import { PROTOBUF_STREAM } from './message.ts';
import type { NodeFilter } from './node.ts';
import { LIST, listNodes, readOwnNode } from './node-list.ts';
import { Silence } from './silence.ts';

/** Who hears of Nodes, and of how the server is. */
export interface WatchSink extends NodeSink {
  /** Everything is told anew, whatever was known: a server's memory may have been set back. */
  restarted(): void;
  /** All that has arrived by now was told. */
  settled(): void;
  /** The server answers again. */
  recovered(): void;
  failed(failure: KubeFailure): void;
}

/** What a {@link NodeWatch} needs. */
export interface NodeWatchOptions {
  readonly api: KubeApi;
  readonly filter: NodeFilter;
  readonly clock: Clock;
  readonly random: () => number;
  readonly sink: WatchSink;
}

/** The server ends a watch by itself after this time, as client-go asks it to: five to ten minutes. */
const WATCH_S_MIN = 300;

/** A server tells a watch that it is alive (a bookmark) about once a minute. */
const SILENCE_MS = 90_000;

/** A list that comes as a watch does not pause that long: a server older than 1.27 takes the wish for nothing. */
const LIST_SILENCE_MS = 10_000;

/** The longest pauses: a server that is back is found within two seconds. */
const PAUSE_MS_MAX = { away: 1_800, denied: 5_000 } as const;

/** A server may name a pause, but not one that takes the node off for long. */
const RETRY_AFTER_MS_MAX = 30_000;

/** A watch that ends sooner has not worked. */
const WORTHWHILE_MS = 1_000;

const PATIENCE_MS = { long: 10_000, short: 2_500 } as const;

/** How often a server may be busy before everything is listed again. */
const BUSY_MAX = 4;

const WATCH = 'watch nodes';

/** The loop that lists and watches. */
export class NodeWatch {
  readonly #options: NodeWatchOptions;
  /** Up to which everything is known; `undefined` before a list is complete. */
  #version: string | undefined;
  #failures = 0;
  /** As what the last attempt has failed; `undefined` after one that has not. */
  #failing: FailureKind | undefined;
  #abort: AbortController | undefined;
  #wake: (() => void) | undefined;
  #isClosed = false;
  /** Somebody wants a new list. */
  #isRestarted = false;
  #isPaged = false;
  #heardMs: number | undefined;

  constructor(options: NodeWatchOptions) {
    this.#options = options;
  }

  /** When the server was last heard of, in milliseconds since the epoch. */
  get heardAtMs(): number | undefined {
    return this.#heardMs;
  }

  /** Begins; never ends before {@link close}. */
  start(): void {
    void this.#run();
  }

  /** Everything is listed again, from now on. */
  relist(): void {
    this.#isRestarted = true;
    this.#abort?.abort();
    this.#wake?.();
  }

  /** Ends it for good. */
  close(): void {
    this.#isClosed = true;
    this.#abort?.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      if (this.#isRestarted) this.#version = undefined;
      this.#isRestarted = false;
      const isList = this.#version === undefined;
      if (isList) this.#options.sink.restarted();
      const own = isList ? await readOwnNode(this.#options, patienceMs(this.#failures)) : ok(undefined);
      if (this.#isClosed) return;
      const done = own.ok ? await (isList && this.#isPaged ? this.#listPages() : this.#follow(isList)) : own;
      if (this.#isClosed) return;
      if (done.ok) this.#succeeded();
      else if (!this.#isRestarted) await this.#recover(done.error, isList);
    }
  }

  async #recover(failure: KubeFailure, isList: boolean): Promise<void> {
    const { kind, retryAfterMs } = failure;
    // A server that is back is another matter than one that is away: first it knows no rights, then it has forgotten.
    if (kind !== this.#failing) this.#failures = 0;
    this.#failing = kind;
    this.#failures++;
    // Gone, or from the future: a server whose memory was set back has never heard of our version.
    if (kind === 'gone' || (kind === 'busy' && this.#failures >= BUSY_MAX)) this.#version = undefined;
    // A stream that ends is nothing to tell of, if the next one begins.
    if (kind !== 'gone' && (this.#failures > 1 || isList)) this.#options.sink.failed(failure);
    if (kind === 'gone' && this.#failures === 1) return;
    await this.#pause(kind === 'denied' ? PAUSE_MS_MAX.denied : PAUSE_MS_MAX.away, retryAfterMs);
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#failing = undefined;
  }

  async #pause(longestMs: number, retryAfterMs = 0): Promise<void> {
    const { clock, random } = this.#options;
    const growingMs = backOffMs(this.#failures, { random, longestMs });
    const delayMs = Math.max(growingMs, Math.min(retryAfterMs, RETRY_AFTER_MS_MAX));
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = clock.schedule(delayMs, resolve);
    });
    timer?.cancel();
    this.#wake = undefined;
  }

  /** One watch to its end, which begins with a list if nothing is known yet. */
  async #follow(isList: boolean): Promise<Result<void, KubeFailure>> {
    const { api, clock, random, sink } = this.#options;
    const abort = new AbortController();
    this.#abort = abort;
    const opened = await api.stream({
      method: 'GET',
      path: `/api/v1/nodes?${watchQuery(isList ? undefined : this.#version, random)}`,
      accept: PROTOBUF_STREAM,
      what: isList ? LIST : WATCH,
      operation: 'read',
      patienceMs: patienceMs(this.#failures),
      signal: abort.signal,
    });
    if (!opened.ok) {
      // A server that does not know the wish says so (KEP-3157 is optional).
      return isList && opened.error.kind === 'refused' ? await this.#listPages() : opened;
    }
    if (!isList) sink.recovered();
    const startMs = clock.monotonicMs();
    const events = new EventReader({ ...this.#options, isList });
    const reader = opened.value.getReader();
    // A read that waits is not always ended by the signal of its request.
    abort.signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), { once: true });
    const silence = new Silence(clock, isList ? LIST_SILENCE_MS : SILENCE_MS, () => abort.abort());
    const ended = await this.#read(reader, events, silence);
    silence.stop();
    // Whatever has ended it, nothing more of it is wanted.
    abort.abort();
    // It may begin the list and find out that it cannot: its etcd is too old (`RequestWatchProgress is disabled`).
    const isRefused = !ended.ok && ended.error.kind !== 'unreachable' && ended.error.kind !== 'gone';
    if (isList && !events.isListed && (silence.isOver || isRefused)) return await this.#listPages();
    if (!ended.ok) return ended;
    const isShort = clock.monotonicMs() - startMs < WORTHWHILE_MS;
    if (!events.isComplete || (isList && !events.isListed) || isShort)
      return fail(failureOfForm('an answer that ended too early', this.#asked(WATCH)));
    return ok(undefined);
  }

  async #read(
    reader: Pick<ReadableStreamDefaultReader<Uint8Array>, 'read'>,
    events: EventReader,
    silence: Silence,
  ): Promise<Result<void, KubeFailure>> {
    const { sink, clock } = this.#options;
    try {
      for (;;) {
        const { done, value: chunk } = await reader.read();
        if (this.#isClosed) return ok(undefined);
        if (done) break;
        this.#heardMs = clock.nowMs();
        const failure = events.push(chunk, this.#asked(WATCH));
        // A list that breaks in the middle again and again is asked for less and less often.
        if (failure === undefined && events.isListed) this.#succeeded();
        if (events.isListed) silence.limit(SILENCE_MS);
        silence.heard();
        if (events.version !== undefined) this.#version = events.version;
        sink.settled();
        if (failure !== undefined) {
          // What could not be read may have been anything: only a list is sure.
          if (failure.kind === 'unreachable') this.#version = undefined;
          return fail(failure);
        }
      }
    } catch {
      if (!silence.isOver) return fail(failureOfForm('no answer any more', this.#asked(WATCH)));
    }
    if (!silence.isOver) return ok(undefined);
    // Twice: a server whose memory was set back has nothing to tell of a version that it has not come to yet.
    if (this.#failures > 0) this.#version = undefined;
    return fail(failureOfForm('nothing for too long', this.#asked(WATCH)));
  }

  /** The list in pages, for servers that cannot begin a watch with it. */
  async #listPages(): Promise<Result<void, KubeFailure>> {
    const { clock, sink } = this.#options;
    const listed = await listNodes(this.#options, {
      onPage: () => {
        this.#heardMs = clock.nowMs();
      },
      isOver: () => this.#isClosed || this.#isRestarted,
    });
    // Another server may answer next time.
    this.#isPaged = listed.ok;
    if (!listed.ok) return listed;
    this.#version = listed.value.version;
    sink.listed(listed.value.names);
    sink.settled();
    return ok(undefined);
  }

  #asked(what: string): Asked {
    return { what, server: this.#options.api.server ?? '', files: [] };
  }
}

/**
 * How long an answer may take. Packets that are dropped make a connection wait longer and longer, so while the server is
 * away it is asked anew more often; now and then with more patience, for it may only be slow.
 */
function patienceMs(failures: number): number {
  return failures % 4 === 0 ? PATIENCE_MS.long : PATIENCE_MS.short;
}

function watchQuery(version: string | undefined, random: () => number): URLSearchParams {
  const query = new URLSearchParams({
    watch: 'true',
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(Math.round(WATCH_S_MIN * (1 + random()))),
  });
  if (version === undefined) {
    query.set('sendInitialEvents', 'true');
    query.set('resourceVersionMatch', 'NotOlderThan');
  } else {
    query.set('resourceVersion', version);
  }
  return query;
}
