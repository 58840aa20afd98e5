/**
 * What an agent is made of: `src/run.ts` gives it the real parts, tests give it others.
 *
 * @module
 */
import type { Clock } from '../model/clock.ts';
import type { Ip } from '../model/ip.ts';
import type { Lease } from '../model/lease.ts';
import type { LeaseSource } from '../model/lease-source.ts';
import type { NetworkConfig } from '../model/network.ts';
import type { SysctlObject } from '../model/objects.ts';
import type { Problem } from '../model/problem.ts';
import type { Result } from '../model/result.ts';
import type { Settings } from '../model/settings.ts';
import type { ForwardingStatus } from '../model/status.ts';
import type { TableObject } from '../model/traffic-rules.ts';
import type { Target } from '../reconcile/target.ts';
import type { HostSnapshot } from '../underlay/snapshot.ts';
import type { OnClaims } from './claims-keeper.ts';
import type { Identity } from './identity.ts';
import type { AgentJournal } from './journal.ts';
import type { PreviousSubnets } from './lease-request.ts';

/** What an agent is made of. */
export interface AgentParts {
  readonly version: string;
  /** How long the process has run; not by the wall clock, which a Pi sets late. */
  readonly uptimeMs: () => number;
  readonly settings: Settings;
  readonly network: NetworkConfig;
  readonly target: Target;
  readonly readHost: (canReach: Ip | undefined) => Result<HostSnapshot, Problem>;
  /** What the kernel has of these settings, and what else decides whether packets are passed on. */
  readonly forwarding: (settings: readonly SysctlObject[]) => ForwardingStatus;
  readonly source: LeaseSource;
  readonly identity: Identity;
  /** What subnet.env said before this start. */
  readonly previous: PreviousSubnets;
  /** The own lease as the store had it before this start. */
  readonly published: Lease | undefined;
  /** Devices that earlier configurations have made. */
  readonly formerLinks: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  /** Names the process at a netlink port, if it can be known. */
  readonly whoIs: (portId: number) => string | undefined;
  readonly yieldNow: () => Promise<void>;
  readonly journal: AgentJournal;
  /** Told what is claimed, before anything of it is made. */
  readonly onClaims: OnClaims;
  /** Problems of parts that the agent does not know. */
  readonly otherProblems: () => readonly Problem[];
  /** The same of those without which pods do badly: the node is not ready. */
  readonly otherHindrances?: () => readonly Problem[];
  /** Told which traffic rules are to be made with iptables. */
  readonly onIptables?: (tables: readonly TableObject[]) => void;
  /** Called after every pass with the number of changes that it made. */
  readonly onWork: (changes: number) => void;
  /** Called after every pass, and when the agent has shown in another way that it works. */
  readonly onAlive: () => void;
}
