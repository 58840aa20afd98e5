/**
 * A lease store in memory, which grants, refuses or keeps waiting as it is told.
 *
 * @module
 */
import type { Lease, RefusedLease } from '../../src/model/lease.ts';
import type {
  LeaseListener,
  LeaseRequest,
  LeaseSource,
  LeaseSourceStatus,
  OwnLease,
} from '../../src/model/lease-source.ts';
import { type Problem, problem } from '../../src/model/problem.ts';
import { fail, ok, type Result } from '../../src/model/result.ts';
import { leaseOf } from './samples.ts';

/** What a store says when it is asked for a lease. */
export type Grant = Result<OwnLease, Problem>;

/** The store of one agent. */
export class FakeSource implements LeaseSource {
  readonly peers = new Map<string, Lease>();
  refused: RefusedLease[] = [];
  /** Every request for the own lease. */
  readonly requests: LeaseRequest[] = [];
  /** How often a second opinion was asked for. */
  refreshes = 0;
  trouble: Problem | undefined;
  /** The number that the own subnet is made of. */
  ownSubnet = 1;
  /** Called instead of granting, if a test wants so. */
  answer: ((request: LeaseRequest) => Promise<Grant>) | undefined;
  closed = false;
  /** How often it was told that the node's network works. */
  networkUps = 0;
  #listener: LeaseListener | undefined;

  own(): Promise<Result<Lease | undefined, Problem>> {
    return Promise.resolve(ok(undefined));
  }

  acquire(request: LeaseRequest): Promise<Grant> {
    this.requests.push(request);
    return this.answer?.(request) ?? Promise.resolve(this.grant(request));
  }

  /** What is granted if nothing is in the way. */
  grant({ node, backendType, ipv4, ipv6 }: LeaseRequest): Grant {
    const sample = leaseOf(1, { subnet: this.ownSubnet, backendType });
    const half = (asked: LeaseRequest['ipv4'], sampled: Lease['ipv4']) =>
      asked && sampled && { subnet: sampled.subnet, publicIp: asked.publicIp, vtep: asked.vtep };
    const lease = { node, backendType, ipv4: half(ipv4, sample.ipv4), ipv6: half(ipv6, sample.ipv6) };
    return ok({ lease, expiresAtMs: undefined });
  }

  /** Refuses every request from now on, or no more. */
  refuse(message: string | undefined): void {
    this.trouble = message === undefined ? undefined : problem('store-unavailable', message);
    const { trouble } = this;
    this.answer = trouble === undefined ? undefined : () => Promise.resolve(fail(trouble));
    this.#listener?.onStatus(this.status());
  }

  watch(listener: LeaseListener): void {
    this.#listener = listener;
    queueMicrotask(() => this.tell('all'));
  }

  /** Tells of the leases as they are now. */
  tell(changed: ReadonlySet<string> | 'all'): void {
    if (this.trouble !== undefined) return;
    const set = { peers: new Map(this.peers), refused: [...this.refused], synced: true };
    this.#listener?.onLeases({ set, changed });
  }

  /** Sets leases and tells of them. */
  change(...leases: readonly Lease[]): void {
    for (const lease of leases) this.peers.set(lease.node, lease);
    this.tell(new Set(leases.map(({ node }) => node)));
  }

  loseOwn(reason: string): void {
    this.#listener?.onOwnLeaseLost(reason);
  }

  refresh(): void {
    this.refreshes++;
    queueMicrotask(() => this.tell('all'));
  }

  /** Says that something is wrong which keeps it from nothing, or no more. */
  complain(message: string | undefined): void {
    this.trouble = message === undefined ? undefined : problem('store-denied', message);
    this.#listener?.onStatus(this.status());
  }

  networkUp(): void {
    this.networkUps++;
  }

  ownExpiryMs(): undefined {
    return undefined;
  }

  status(): LeaseSourceStatus {
    return { name: 'fake', problem: this.trouble };
  }

  close(): void {
    this.closed = true;
    this.#listener = undefined;
  }
}
