/**
 * The lease that this process holds: taken, renewed, and missed when it is gone.
 *
 * @module
 */
import { backOffMs } from '../../model/back-off.ts';
import type { Clock, Timer } from '../../model/clock.ts';
import type { Lease } from '../../model/lease.ts';
import type { LeaseRequest, LeaseRequestFamily, OwnLease } from '../../model/lease-source.ts';
import type { NetworkConfig } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import { ok, type Result } from '../../model/result.ts';
import { quoted } from '../printable.ts';
import type { DatabaseHandle } from './database-handle.ts';
import { type ExpiryJudge, LIFETIME_MS, RETRY_MS_MAX } from './expiry.ts';
import type { StoreFailure } from './failure.ts';
import { type Grant, grantLease, type Subnets } from './grant.ts';
import { aliveHere, type Holder, holderText, type IsAlive, isSameHolder, thisHolder } from './holder.ts';
import { heldSubnets, type LeaseRow } from './lease-row.ts';
import { Renewal } from './renewal.ts';
import { touchSibling } from './sibling.ts';

/** Losses within this time of each other are told more and more slowly: two agents of one name would race. */
const LOSS_MEMORY_MS = 300_000;

/** What the own lease is made of. */
export interface OwnLeaseOptions {
  readonly node: string;
  readonly network: NetworkConfig;
  readonly handle: DatabaseHandle;
  readonly expiry: ExpiryJudge;
  readonly clock: Clock;
  readonly random: () => number;
  readonly renewMarginMinutes: number;
  readonly log: (text: string) => void;
  /** A renewal has failed, or none fails any more. */
  readonly onProblem: (problem: Problem | undefined) => void;
  readonly onLost: (reason: string) => void;
  /** As whom the lease is held; this process if absent. */
  readonly holder?: Holder | undefined;
  /** By the process table of this machine if absent. */
  readonly isAlive?: IsAlive | undefined;
}

/** One node's lease in the embedded store. */
export class OwnLeaseKeeper {
  readonly #options: OwnLeaseOptions;
  readonly #holder: Holder;
  readonly #isAlive: IsAlive;
  readonly #renewal: Renewal;
  readonly #marginMs: number;
  #row: LeaseRow | undefined;
  #last: Subnets = { ipv4: undefined, ipv6: undefined };
  #losses = 0;
  #lostAtMs = Number.NEGATIVE_INFINITY;
  #lossTimer: Timer | undefined;

  constructor(options: OwnLeaseOptions) {
    this.#options = options;
    this.#holder = options.holder ?? thisHolder();
    this.#isAlive = options.isAlive ?? aliveHere(this.#holder);
    // A margin of the whole lifetime would renew without end.
    this.#marginMs = Math.min(options.renewMarginMinutes * 60_000, LIFETIME_MS - 60_000);
    const { clock, random } = options;
    const renew = (isLate: boolean) => this.#renew(isLate);
    this.#renewal = new Renewal({ clock, random, marginMs: this.#marginMs, renew });
  }

  /** Whether a lease is held as far as this process knows. */
  get isHeld(): boolean {
    return this.#row !== undefined;
  }

  /** When the lease expires, in milliseconds since the epoch. */
  get expiresMs(): number | undefined {
    return this.#row?.expiresMs;
  }

  /** One attempt to take the lease or to bring it up to date. */
  take(request: LeaseRequest): Result<Result<OwnLease, Problem>, StoreFailure> {
    const { node, network, handle, expiry, clock, random } = this.#options;
    const granted = handle.use('acquire', (database) =>
      grantLease(database, {
        ...this.#holder,
        node,
        request,
        network,
        last: this.#last,
        nowMs: clock.nowMs(),
        marginMs: this.#marginMs,
        isAlive: this.#isAlive,
        isGone: (holder) => expiry.isGone(holder.node, holder.expiresMs),
        random,
      }),
    );
    if (!granted.ok) return granted;
    if (!granted.value.ok) return { ok: true, value: granted.value };
    return { ok: true, value: { ok: true, value: this.#hold(granted.value.value, request) } };
  }

  /**
   * Puts this process into the row if it was granted as another had left it: a second agent has to find who holds
   * it. Nothing is done if that is so already.
   */
  sign(): Result<void, StoreFailure> {
    if (this.#row === undefined || isSameHolder(this.#row, this.#holder)) return ok(undefined);
    const signed = this.#rewrite((row) => row.expiresMs);
    if (signed.ok) this.#see(signed.value);
    return signed.ok ? ok(undefined) : signed;
  }

  /** Compares the row that was read with what is held. */
  compare(row: LeaseRow | 'none'): void {
    const held = this.#row;
    if (held === undefined) return;
    if (row === 'none' || row.isRemoved) {
      this.#lose(`The lease of node ${quoted(held.node)} is gone from '${this.#options.handle.path}'`);
    } else if (this.#isRivals(row) || !isSameLease(row, held)) {
      this.#lose(`The lease of node ${quoted(held.node)} was taken by ${holderText(row)}`);
    } else if (row.expiresMs !== held.expiresMs) {
      this.#row = row;
      this.#renewal.hold(row.expiresMs);
    }
  }

  /** Renews the lease if that is due. */
  check(): void {
    this.#renewal.check();
  }

  /** Leaves the lease as it is in the store. */
  close(): void {
    this.#row = undefined;
    this.#renewal.stop();
    this.#lossTimer?.cancel();
  }

  #hold(grant: Grant, request: LeaseRequest): OwnLease {
    const { log } = this.#options;
    for (const node of grant.evicted) log(`Took over the expired lease of node ${quoted(node)}`);
    if (grant.isWritten) this.#touch();
    this.#lossTimer?.cancel();
    this.#row = grant.row;
    this.#last = heldSubnets(grant.row);
    this.#renewal.hold(grant.row.expiresMs);
    return { lease: leaseOf(grant.row, request), expiresAtMs: grant.row.expiresMs };
  }

  #renew(isLate: boolean): number | undefined {
    const { clock, log, onProblem } = this.#options;
    const expiresMs = clock.nowMs() + LIFETIME_MS;
    const renewed = this.#rewrite(() => expiresMs);
    onProblem(renewed.ok ? undefined : renewed.error.problem);
    if (!renewed.ok) {
      log(`Cannot renew the lease, next attempt in a minute: ${renewed.error.problem.message}`);
      return undefined;
    }
    if (!this.#see(renewed.value)) return undefined;
    if (isLate) this.#touch();
    return expiresMs;
  }

  /** Writes the row with another expiry and this process, unless it is not ours any more: then it stays. */
  #rewrite(expiry: (row: LeaseRow) => number): Result<LeaseRow | 'none', StoreFailure> {
    const { handle, clock, node } = this.#options;
    return handle.use('renew', (database) =>
      database.transact(false, (revision) => {
        const row = database.row(node);
        if (row === undefined || this.#row === undefined) return row ?? 'none';
        if (this.#isRivals(row) || !isSameLease(row, this.#row)) return row;
        const next = { ...row, ...this.#holder, expiresMs: expiry(row), revision };
        database.write(next);
        database.purge(clock.nowMs());
        return next;
      }),
    );
  }

  /** Takes in what {@link #rewrite} came to. @returns whether the row is ours */
  #see(row: LeaseRow | 'none'): boolean {
    if (row === 'none' || !isSameHolder(row, this.#holder)) {
      this.compare(row);
      return false;
    }
    this.#row = row;
    return true;
  }

  /** Whether another process that runs has written the row. */
  #isRivals(row: LeaseRow): boolean {
    return !isSameHolder(row, this.#holder) && this.#isAlive(row);
  }

  /** The lease is committed: if nobody can be told, the write to the log and the next look are left. */
  #touch(): void {
    try {
      touchSibling(this.#options.handle.path);
    } catch (error) {
      this.#options.log(`Cannot tell other agents of a changed lease: ${String(error)}`);
    }
  }

  #lose(reason: string): void {
    const { clock, random, onLost } = this.#options;
    this.#row = undefined;
    this.#renewal.stop();
    const nowMs = clock.monotonicMs();
    this.#losses = nowMs - this.#lostAtMs < LOSS_MEMORY_MS ? this.#losses + 1 : 0;
    this.#lostAtMs = nowMs;
    // From about a second up to half a minute.
    const delayMs = this.#losses === 0 ? 0 : backOffMs(this.#losses + 3, { random, longestMs: RETRY_MS_MAX });
    this.#lossTimer?.cancel();
    this.#lossTimer = clock.schedule(delayMs, () => onLost(reason));
  }
}

/** Whether two rows say the same to peers. */
function isSameLease(a: LeaseRow, b: LeaseRow): boolean {
  return (
    a.isRemoved === b.isRemoved &&
    a.subnet === b.subnet &&
    a.subnetV6 === b.subnetV6 &&
    a.attributes === b.attributes
  );
}

function leaseOf(row: LeaseRow, request: LeaseRequest): Lease {
  const { ipv4, ipv6 } = heldSubnets(row);
  const half = (subnet: Subnets['ipv4'], family: LeaseRequestFamily | undefined) =>
    subnet === undefined || family === undefined
      ? undefined
      : { subnet, publicIp: family.publicIp, vtep: family.vtep };
  return {
    node: row.node,
    backendType: request.backendType.toLowerCase(),
    ipv4: half(ipv4, request.ipv4),
    ipv6: half(ipv6, request.ipv6),
  };
}
