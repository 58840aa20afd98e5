/**
 * Gets the node's own lease and holds on to it, trying again for as long as the store cannot give one.
 *
 * @module
 */
import { backOffMs } from '../model/back-off.ts';
import type { Clock, Timer } from '../model/clock.ts';
import type { LeaseRequest, LeaseSource, OwnLease } from '../model/lease-source.ts';
import type { Problem } from '../model/problem.ts';

/** The longest pause while another process holds the lease. */
const HELD_PAUSE_MS_MAX = 1_000;

/** What the keeper needs. */
export interface OwnLeaseOptions {
  readonly source: LeaseSource;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called when the lease is there, or is another. */
  readonly onLease: (own: OwnLease) => void;
  /** Called when the trouble changes: `undefined` when it is over. */
  readonly onProblem: (problem: Problem | undefined) => void;
}

/** The own lease. */
export class OwnLeaseClaim {
  readonly #options: OwnLeaseOptions;
  #current: OwnLease | undefined;
  #sinceMs: number | undefined;
  #problem: Problem | undefined;
  #wanted: LeaseRequest | undefined;
  #asking = false;
  #attempts = 0;
  #retry: Timer | undefined;
  #stopped = false;

  constructor(options: OwnLeaseOptions) {
    this.#options = options;
  }

  get current(): OwnLease | undefined {
    return this.#current;
  }

  /** Since when this process has held these subnets, in milliseconds since the epoch. */
  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** Asks for a lease with these attributes, now and until the store grants it; once more if it was asked before. */
  want(request: LeaseRequest): void {
    this.#wanted = request;
    this.#attempts = 0;
    if (this.#asking) this.#options.source.revise?.(request);
    void this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  async #ask(): Promise<void> {
    const { source, clock, random, onLease } = this.#options;
    if (this.#asking || this.#stopped || this.#wanted === undefined) return;
    this.#asking = true;
    this.#retry?.cancel();
    const request = this.#wanted;
    const granted = await source.acquire(request);
    this.#asking = false;
    if (this.#stopped) return;
    if (granted.ok) {
      this.#attempts = 0;
      if (!hasSameSubnets(this.#current, granted.value)) this.#sinceMs = clock.nowMs();
      this.#current = granted.value;
      this.#tell(undefined);
      onLease(granted.value);
    } else {
      this.#attempts++;
      this.#tell(granted.error);
      // Nobody tells when the other has ended, and its lease is to be taken over within a moment.
      const pause = granted.error.code === 'lease-held' ? { longestMs: HELD_PAUSE_MS_MAX } : {};
      const delayMs = backOffMs(this.#attempts, { random, ...pause });
      this.#retry = clock.schedule(delayMs, () => void this.#ask());
    }
    if (this.#wanted !== request) void this.#ask();
  }

  #tell(problem: Problem | undefined): void {
    if (problem?.message === this.#problem?.message) return;
    this.#problem = problem;
    this.#options.onProblem(problem);
  }
}

function hasSameSubnets(a: OwnLease | undefined, b: OwnLease): boolean {
  return a?.lease.ipv4?.subnet === b.lease.ipv4?.subnet && a?.lease.ipv6?.subnet === b.lease.ipv6?.subnet;
}
