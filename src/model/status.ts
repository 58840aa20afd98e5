/**
 * What the agent tells about itself: the document behind `/status`, `/readyz` and `flannelette status`.
 *
 * @module
 */
import type { RefusedLease } from './lease.ts';
import type { LeaseSourceStatus } from './lease-source.ts';
import type { Problem } from './problem.ts';

/** How far a peer's objects are in the kernel. */
export type PeerState = 'programmed' | 'pending' | 'failed' | 'ignored';

/** One family of a peer. */
export interface PeerFamilyStatus {
  readonly subnet: string;
  readonly publicIp: string;
}

/** One peer. */
export interface PeerStatus {
  readonly node: string;
  readonly backendType: string;
  readonly state: PeerState;
  readonly ipv4: PeerFamilyStatus | undefined;
  readonly ipv6: PeerFamilyStatus | undefined;
  /** Why it is not programmed, in words. */
  readonly reason: string | undefined;
}

/** The outcome of one look at the kernel. */
export interface PassStatus {
  /** ISO 8601. */
  readonly at: string;
  /** What caused it, in words. */
  readonly cause: string;
  readonly durationMs: number;
  readonly created: number;
  readonly updated: number;
  readonly removed: number;
  readonly failed: number;
  /** Removals that wait for a second list that agrees. */
  readonly held: number;
}

/** The chosen underlay interface. */
export interface InterfaceStatus {
  readonly name: string;
  readonly mtuBytes: number;
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  readonly publicIpv4: string | undefined;
  readonly publicIpv6: string | undefined;
  readonly why: string;
}

/** The own lease. */
export interface OwnLeaseStatus {
  readonly subnet: string | undefined;
  readonly subnetV6: string | undefined;
  /** ISO 8601, if it expires. */
  readonly expiresAt: string | undefined;
}

/** Whether the node passes packets on. */
export interface ForwardingStatus {
  /** Settings of the kernel as they are, by their names for sysctl(8); those that there are. */
  readonly settings: Readonly<Record<string, string>>;
  /** What is worth knowing, and no problem. */
  readonly notes: readonly string[];
}

/** The whole document. */
export interface AgentStatus {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly ready: boolean;
  /** Milliseconds from process start to the first time ready, once it was. */
  readonly readyAfterMs: number | undefined;
  /** What is wrong now; empty if nothing is. */
  readonly problems: readonly Problem[];
  readonly backend: string | undefined;
  readonly network: string | undefined;
  readonly networkV6: string | undefined;
  readonly interface: InterfaceStatus | undefined;
  readonly forwarding: ForwardingStatus | undefined;
  readonly lease: OwnLeaseStatus | undefined;
  /** The VTEP addresses by device name, where the backend has any. */
  readonly vtepMacs: Readonly<Record<string, string>>;
  readonly store: LeaseSourceStatus;
  readonly peers: readonly PeerStatus[];
  readonly refused: readonly RefusedLease[];
  readonly lastPass: PassStatus | undefined;
  /** Objects put right after something else had changed or removed them, by kind. */
  readonly repairs: Readonly<Record<string, number>>;
}
