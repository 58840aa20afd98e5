/**
 * Where leases come from: the seam between the agent and a store.
 *
 * @module
 */
import type { Ip, Prefix } from './ip.ts';
import type { Lease, LeaseSet, Vtep } from './lease.ts';
import type { Problem } from './problem.ts';
import type { Result } from './result.ts';

/** One family of {@link LeaseRequest}. */
export interface LeaseRequestFamily {
  readonly publicIp: Ip;
  readonly vtep: Vtep | undefined;
  /** The subnet that the node had before (subnet.env): taken again if it is free. */
  readonly previous: Prefix | undefined;
}

/** What a node asks a store for, and what it tells its peers. A family that is not enabled is `undefined`. */
export interface LeaseRequest {
  readonly node: string;
  readonly backendType: string;
  readonly ipv4: LeaseRequestFamily | undefined;
  readonly ipv6: LeaseRequestFamily | undefined;
}

/** The own lease and how long it lasts. */
export interface OwnLease {
  readonly lease: Lease;
  /** Milliseconds since the epoch; `undefined` if it does not expire. */
  readonly expiresAtMs: number | undefined;
}

/** What a store tells when leases have changed. */
export interface LeaseChange {
  readonly set: LeaseSet;
  /** The names of the peers that were added, changed or removed, or `all` if that is not known. */
  readonly changed: ReadonlySet<string> | 'all';
}

/** What the store says about the node's own addresses, as `--public-ip` and `--public-ipv6` would. */
export interface PublicAddresses {
  readonly ipv4: Ip | undefined;
  readonly ipv6: Ip | undefined;
}

/** The state of a store's connection, for the status. */
export interface LeaseSourceStatus {
  /** Such as `sqlite /var/lib/flannelette/leases.db`. */
  readonly name: string;
  /** What is wrong with it now, if anything. The last good leases stay in use. */
  readonly problem: Problem | undefined;
  /** When it was last heard of, in milliseconds since the epoch, if it is one that is heard of all the time. */
  readonly heardAtMs?: number | undefined;
}

/** Who listens to a store. */
export interface LeaseListener {
  /** Called with the first complete list and after every change, never re-entrantly. */
  readonly onLeases: (change: LeaseChange) => void;
  /** The own lease is gone or now another's: the agent acquires again. */
  readonly onOwnLeaseLost: (reason: string) => void;
  /** The store says by which addresses peers reach this node, or no longer says so. */
  readonly onPublicAddresses?: (addresses: PublicAddresses) => void;
  /** The store came into trouble or out of it. */
  readonly onStatus: (status: LeaseSourceStatus) => void;
}

/** A lease store. It retries by itself, with jittered back-off, and never throws. */
export interface LeaseSource {
  /** What the store holds for this node, read without changing it. */
  own(node: string): Promise<Result<Lease | undefined, Problem>>;
  /** Takes or updates the node's lease, and keeps it renewed until {@link close}. */
  acquire(request: LeaseRequest): Promise<Result<OwnLease, Problem>>;
  /** What is asked for has changed while {@link acquire} waits; a source that never waits long does without. */
  revise?(request: LeaseRequest): void;
  /** Starts to tell `listener` of the other nodes' leases; called once. */
  watch(listener: LeaseListener): void;
  /** Reads everything again, and tells the listener even if nothing has changed: it asked for a second opinion. */
  refresh(): void;
  status(): LeaseSourceStatus;
  /** The node's network works: a store that others wait at may tell them. */
  networkUp?(): void;
  /** When the own lease expires as it was renewed last, in milliseconds since the epoch; if held, and if ever. */
  ownExpiryMs(): number | undefined;
  close(): void;
}
