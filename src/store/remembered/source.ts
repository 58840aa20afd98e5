/**
 * A lease store that can be done without for a while: what it said last is in the state directory, so a node has its
 * network at boot before anybody has answered, and keeps it for as long as nobody does.
 *
 * What is remembered makes, and never removes. The store's own word replaces it as soon as there is one.
 *
 * @module
 */
import { backOffMs } from '../../model/back-off.ts';
import type { Clock, Timer } from '../../model/clock.ts';
import type { Lease, LeaseSet } from '../../model/lease.ts';
import type {
  LeaseChange,
  LeaseListener,
  LeaseRequest,
  LeaseSource,
  LeaseSourceStatus,
  OwnLease,
  PublicAddresses,
} from '../../model/lease-source.ts';
import type { NetworkConfig } from '../../model/network.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { ok, type Result } from '../../model/result.ts';
import { judgeLease } from '../accept.ts';
import { LeaseBook } from '../lease-book.ts';
import type { LeaseFile, Remembered, SavedAt } from './lease-file.ts';
import { restoredLease, subnetsOf } from './restored-lease.ts';

/** What the source is made of. */
export interface RememberingSourceOptions {
  /** The store. */
  readonly inner: LeaseSource;
  readonly file: LeaseFile;
  readonly node: string;
  readonly network: NetworkConfig;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: (text: string) => void;
  /** Told when all leases were written down, which leaves garbage behind. */
  readonly onSaved?: () => void;
}

/** Changes often come together. */
const SAVE_DELAY_MS = 2_000;

/** Each save costs an SD card some of its life: where leases change all the time, only every so often. */
const SAVE_PAUSE_MS = 60_000;

const NO_ADDRESSES: PublicAddresses = { ipv4: undefined, ipv6: undefined };

/** See the module. */
export class RememberingSource implements LeaseSource {
  readonly #options: RememberingSourceOptions;
  /** What was remembered, until the store has told everything. */
  #restored: Remembered | undefined;
  #restoredOwn: Lease | undefined;
  #listener: LeaseListener | undefined;
  /** What is to be remembered. */
  #set: LeaseSet | undefined;
  #own: Lease | undefined;
  #addresses = NO_ADDRESSES;
  /** What the store is asked for behind the back of whoever has the restored lease. */
  #request: LeaseRequest | undefined;
  #isAsking = false;
  #failures = 0;
  #saveTimer: Timer | undefined;
  #savedMs = Number.NEGATIVE_INFINITY;
  #saveProblem: Problem | undefined;
  #isClosed = false;

  constructor(options: RememberingSourceOptions) {
    this.#options = options;
    const { remembered, warning } = options.file.load();
    if (warning !== undefined) options.log(warning);
    this.#restored = remembered;
    const own = remembered?.own;
    this.#restoredOwn = own?.node === options.node ? judgeLease(own, options.network).lease : undefined;
    this.#addresses = remembered?.addresses ?? NO_ADDRESSES;
  }

  async own(node: string): Promise<Result<Lease | undefined, Problem>> {
    return this.#restoredOwn === undefined ? await this.#options.inner.own(node) : ok(this.#restoredOwn);
  }

  /** The restored lease at once, if there is one that fits; the store is asked meanwhile. */
  async acquire(request: LeaseRequest): Promise<Result<OwnLease, Problem>> {
    const restored = this.#restoredOwn && restoredLease(this.#restoredOwn, request);
    if (restored === undefined) {
      const own = await this.#options.inner.acquire(request);
      if (own.ok) this.#granted(own.value.lease);
      return own;
    }
    this.#request = request;
    void this.#confirm();
    return ok({ lease: restored, expiresAtMs: undefined });
  }

  revise(request: LeaseRequest): void {
    this.#request = request;
    this.#options.inner.revise?.(request);
  }

  watch(listener: LeaseListener): void {
    this.#listener = listener;
    const { inner } = this.#options;
    queueMicrotask(() => this.#tellRestored());
    inner.watch({
      onLeases: (change) => this.#onLeases(change),
      onOwnLeaseLost: (reason) => {
        this.#restoredOwn = undefined;
        this.#listener?.onOwnLeaseLost(reason);
      },
      onPublicAddresses: (addresses) => {
        const { ipv4, ipv6 } = this.#addresses;
        if (addresses.ipv4 === ipv4 && addresses.ipv6 === ipv6) return;
        this.#addresses = addresses;
        this.#saveSoon();
        this.#listener?.onPublicAddresses?.(addresses);
      },
      onStatus: () => this.#tellStatus(),
    });
  }

  refresh(): void {
    this.#options.inner.refresh();
  }

  networkUp(): void {
    this.#options.inner.networkUp?.();
  }

  status(): LeaseSourceStatus {
    const status = this.#options.inner.status();
    if (this.#restored === undefined) return { ...status, problem: status.problem ?? this.#saveProblem };
    const since = new Date(this.#restored.savedAtMs).toISOString().replace(/\.\d+Z$/, 'Z');
    const why = status.problem === undefined ? '' : `: ${status.problem.message}`;
    const message = `Leases restored, stale since ${since}${why}`;
    return { ...status, problem: problem('store-restored', message, status.problem?.remedy) };
  }

  ownExpiryMs(): number | undefined {
    return this.#options.inner.ownExpiryMs();
  }

  /** Ends everything. What the store has said, and until when it could be believed, is written down. */
  close(): void {
    const heardAtMs = this.#options.inner.status().heardAtMs;
    this.#isClosed = true;
    this.#listener = undefined;
    this.#options.inner.close();
    this.#save({ atMs: heardAtMs ?? this.#options.clock.nowMs(), isTimeNews: true });
  }

  #onLeases(change: LeaseChange): void {
    const isFirst = this.#restored !== undefined && change.set.synced;
    this.#set = change.set;
    if (isFirst) {
      this.#restored = undefined;
      this.#tellStatus();
    }
    this.#saveSoon();
    this.#listener?.onLeases(isFirst ? { ...change, changed: 'all' } : change);
  }

  #tellRestored(): void {
    if (this.#restored === undefined || this.#listener === undefined) return;
    const { node, network } = this.#options;
    const book = new LeaseBook({ node, network });
    book.setOwn(this.#restoredOwn);
    for (const peer of this.#restored.peers) book.put(peer);
    const change = book.take();
    if (this.#addresses !== NO_ADDRESSES) this.#listener.onPublicAddresses?.(this.#addresses);
    this.#tellStatus();
    if (change !== undefined) this.#listener.onLeases({ ...change, set: { ...change.set, synced: false } });
  }

  #tellStatus(): void {
    this.#listener?.onStatus(this.status());
  }

  /** Asks the store for what was given from memory, until it has an answer. */
  async #confirm(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const { inner, clock, random } = this.#options;
    while (!this.#isClosed && this.#restoredOwn !== undefined && this.#request !== undefined) {
      const request = this.#request;
      const own = await inner.acquire(request);
      if (this.#isClosed) return;
      // Taken away meanwhile: whoever had it asks by himself.
      if (this.#restoredOwn === undefined) break;
      if (own.ok && request === this.#request) {
        this.#confirmed(own.value.lease, this.#restoredOwn);
        break;
      }
      if (own.ok) continue;
      this.#failures++;
      await new Promise<void>((resolve) => clock.schedule(backOffMs(this.#failures, { random }), resolve));
    }
    this.#isAsking = false;
  }

  #confirmed(lease: Lease, restored: Lease): void {
    this.#granted(lease);
    const [now, before] = [subnetsOf(lease), subnetsOf(restored)];
    if (now !== before) this.#listener?.onOwnLeaseLost(`the store says ${now}, restored was ${before}`);
  }

  /** From now on the store is asked itself: what it has said once must not give way to older memories. */
  #granted(lease: Lease): void {
    this.#restoredOwn = undefined;
    this.#own = lease;
    this.#saveSoon();
  }

  #saveSoon(): void {
    if (this.#isClosed || this.#saveTimer !== undefined || this.#set?.synced !== true) return;
    const { clock } = this.#options;
    const pauseMs = this.#savedMs + SAVE_PAUSE_MS - clock.monotonicMs();
    this.#saveTimer = clock.schedule(Math.max(SAVE_DELAY_MS, pauseMs), () => this.#save());
  }

  #save(at: SavedAt = { atMs: this.#options.clock.nowMs(), isTimeNews: false }): void {
    const { file, clock } = this.#options;
    this.#saveTimer?.cancel();
    this.#saveTimer = undefined;
    if (this.#set?.synced !== true) return;
    this.#savedMs = clock.monotonicMs();
    const before = this.#saveProblem?.message;
    // A store that lists the peers may not know the own node yet: what it has not denied is not forgotten.
    const own = this.#own ?? this.#restoredOwn;
    const memory = { own, peers: this.#set.peers, addresses: this.#addresses };
    this.#saveProblem = file.save(memory, at);
    this.#options.onSaved?.();
    if (this.#saveProblem?.message !== before) this.#tellStatus();
    if (this.#saveProblem !== undefined && !this.#isClosed) this.#saveSoon();
  }
}
