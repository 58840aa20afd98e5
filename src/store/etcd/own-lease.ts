/**
 * The key that this process holds: taken, renewed, and missed when it is gone.
 *
 * @module
 */
import { backOffMs } from '../../model/back-off.ts';
import type { Clock, Timer } from '../../model/clock.ts';
import type { LeaseRequest } from '../../model/lease-source.ts';
import type { StoreObserver } from '../../model/measures.ts';
import type { NetworkConfig } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import type { Result } from '../../model/result.ts';
import { quoted } from '../printable.ts';
import type { Survey } from './choice.ts';
import type { EtcdClient } from './client.ts';
import { etcdProblem } from './failure.ts';
import type { Subnets } from './keys.ts';
import type { KeyEvent } from './messages.ts';
import { Renewal } from './renewal.ts';
import { type Held, NO_LEASE, type TakeFailure, takeLease } from './take.ts';

/** Losses within this time of each other are told more and more slowly: two agents of one address would race. */
const LOSS_MEMORY_MS = 300_000;
const LOSS_PAUSE_MS_MAX = 30_000;

/** What the own lease is made of. */
export interface OwnLeaseOptions {
  readonly client: EtcdClient;
  readonly directory: string;
  readonly network: NetworkConfig;
  readonly clock: Clock;
  readonly random: () => number;
  readonly renewMarginMinutes: number;
  readonly log: (text: string) => void;
  readonly onUse: StoreObserver;
  /** A renewal has failed, or none fails any more. */
  readonly onProblem: (problem: Problem | undefined) => void;
  readonly onLost: (reason: string) => void;
  /** An event of a key that was taken for the own one, and is not. */
  readonly onForeign: (event: KeyEvent) => void;
}

/** See the module. */
export class OwnLeaseKeeper {
  readonly #options: OwnLeaseOptions;
  readonly #renewal: Renewal;
  #held: Held | undefined;
  /** The name that is being written, and what is heard of it before it is known whether that succeeds. */
  #claim: { readonly name: string; readonly heard: KeyEvent[] } | undefined;
  #last: Subnets = { ipv4: undefined, ipv6: undefined };
  #losses = 0;
  #lostAtMs = Number.NEGATIVE_INFINITY;
  #lossTimer: Timer | undefined;

  constructor(options: OwnLeaseOptions) {
    this.#options = options;
    const { clock, random, renewMarginMinutes } = options;
    const marginMs = renewMarginMinutes * 60_000;
    this.#renewal = new Renewal({ clock, random, marginMs, renew: () => this.#renew() });
  }

  /** The key that is held as far as this process knows. */
  get held(): Held | undefined {
    return this.#held;
  }

  /** When the lease expires, in milliseconds since the epoch. */
  get expiresMs(): number | undefined {
    return this.#renewal.expiresMs;
  }

  /** Whether the key is the own one, or may be about to be. */
  owns(name: string): boolean {
    return name === this.#held?.name || name === this.#claim?.name;
  }

  /** One attempt to take the lease or to bring it up to date; see {@link takeLease} for the survey. */
  async take(request: LeaseRequest, survey?: Survey): Promise<Result<Held, TakeFailure>> {
    const { clock, onUse } = this.#options;
    const beganMs = clock.monotonicMs();
    const taken = await takeLease({
      ...this.#options,
      request,
      survey,
      last: this.#last,
      onClaim: (name) => {
        this.#claim = { name, heard: [] };
      },
    });
    onUse('acquire', clock.monotonicMs() - beganMs, taken.ok || taken.error.kind !== 'etcd');
    if (taken.ok) this.#hold(taken.value);
    this.#endClaim();
    return taken;
  }

  /** Takes in what a list or an event says of a key that {@link owns} names. */
  hear(name: string, event: KeyEvent): void {
    if (name === this.#claim?.name) this.#claim.heard.push(event);
    else this.#compare(event);
  }

  /** A list of this revision does not have the own key. */
  miss(revision: number): void {
    const held = this.#held;
    if (held === undefined || this.#claim !== undefined || held.modRevision > revision) return;
    this.#lose(`Key ${quoted(held.name)} is gone from etcd`);
  }

  /** etcd is another than before: whether it has the key, and as what, is to be found out. */
  doubt(): void {
    if (this.#held !== undefined && this.#claim === undefined)
      this.#lose(`etcd was made anew or set back; key ${quoted(this.#held.name)} is taken again`);
  }

  /** Leaves the key as it is in etcd. */
  close(): void {
    this.#held = undefined;
    this.#renewal.stop();
    this.#lossTimer?.cancel();
  }

  #hold(held: Held): void {
    this.#lossTimer?.cancel();
    this.#held = held;
    this.#last = held.subnets;
    if (held.ttlMs === undefined) this.#renewal.stop();
    else this.#renewal.hold(held.ttlMs);
  }

  #endClaim(): void {
    const claim = this.#claim;
    this.#claim = undefined;
    for (const event of claim?.heard ?? []) {
      if (claim?.name === this.#held?.name) this.#compare(event);
      else this.#options.onForeign(event);
    }
  }

  #compare(event: KeyEvent): void {
    const held = this.#held;
    const { isDelete, keyValue } = event;
    if (held === undefined || keyValue.modRevision < held.modRevision) return;
    if (isDelete) {
      this.#lose(`Key ${quoted(held.name)} was deleted from etcd`);
      return;
    }
    if (keyValue.value !== held.value) {
      this.#lose(`Key ${quoted(held.name)} of etcd was written by another`);
      this.#options.onForeign(event);
      return;
    }
    const { modRevision, lease: leaseId } = keyValue;
    this.#held = { ...held, modRevision, leaseId };
    if (leaseId === held.leaseId) return;
    if (leaseId === NO_LEASE) this.#renewal.stop();
    else this.#renewal.now();
  }

  /** @returns what the lease has left in milliseconds, or `undefined` if that failed */
  async #renew(): Promise<number | undefined> {
    const { client, clock, onUse, onProblem, log } = this.#options;
    const held = this.#held;
    if (held === undefined) return undefined;
    const beganMs = clock.monotonicMs();
    const alive = await client.keepAlive(held.leaseId);
    const usedMs = clock.monotonicMs() - beganMs;
    onUse('renew', usedMs, alive.ok);
    if (this.#held?.leaseId !== held.leaseId) return undefined;
    onProblem(alive.ok ? undefined : etcdProblem(alive.error));
    if (!alive.ok) {
      log(`Cannot renew the lease: ${alive.error.message}`);
      return undefined;
    }
    if (alive.value.ttlSeconds > 0) return alive.value.ttlSeconds * 1000 - usedMs;
    this.#lose(`The lease of key ${quoted(held.name)} has expired in etcd`);
    return undefined;
  }

  #lose(reason: string): void {
    const { clock, random, onLost } = this.#options;
    this.#held = undefined;
    this.#renewal.stop();
    const nowMs = clock.monotonicMs();
    this.#losses = nowMs - this.#lostAtMs < LOSS_MEMORY_MS ? this.#losses + 1 : 0;
    this.#lostAtMs = nowMs;
    // From about a second up to half a minute.
    const pause = { random, longestMs: LOSS_PAUSE_MS_MAX };
    const delayMs = this.#losses === 0 ? 0 : backOffMs(this.#losses + 3, pause);
    this.#lossTimer?.cancel();
    this.#lossTimer = clock.schedule(delayMs, () => onLost(reason));
  }
}
