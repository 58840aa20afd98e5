/**
 * The status document and the measures, put together when somebody asks for them.
 *
 * @module
 */
import type { RefusedLease } from '../model/lease.ts';
import type { OwnLease } from '../model/lease-source.ts';
import type { AgentMeasures } from '../model/measures.ts';
import type { NetworkConfig } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import type { AgentStatus } from '../model/status.ts';
import type { Underlay } from '../model/underlay.ts';
import { planForwarding } from '../plan/forwarding.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { AgentParts } from './parts.ts';
import { interfaceStatus, ownLeaseStatus, peerStatuses, vtepMacs } from './report.ts';
import type { PassTotals } from './totals.ts';

/** What an agent knows of itself. */
export interface AgentFacts {
  readonly parts: Pick<AgentParts, 'version' | 'settings' | 'network' | 'source' | 'identity' | 'forwarding'>;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  readonly readyAfterMs: number | undefined;
  readonly readiness: { readonly ready: boolean; readonly problems: readonly Problem[] };
  readonly underlay: Underlay | undefined;
  readonly own: OwnLease | undefined;
  /** Since when it is held, in milliseconds since the epoch. */
  readonly ownSinceMs: number | undefined;
  readonly reconciler: Reconciler;
  readonly refused: readonly RefusedLease[];
  readonly totals: PassTotals;
}

/** Everything about an agent. */
export function statusDocument(facts: AgentFacts): AgentStatus {
  const { parts, startedMs, readyAfterMs, readiness, underlay, own, reconciler, refused, totals } = facts;
  const { version, settings, network, source, identity } = parts;
  return {
    version,
    node: settings.nodeName,
    pid: process.pid,
    startedAt: new Date(startedMs).toISOString(),
    ready: readiness.ready,
    readyAfterMs,
    problems: readiness.problems,
    backend: network.backend.type,
    network: network.ipv4?.network,
    networkV6: network.ipv6?.network,
    interface: interfaceStatus(underlay),
    forwarding: own && underlay && parts.forwarding(planForwarding({ own: own.lease, underlay })),
    lease: ownLeaseStatus(own, source.ownExpiryMs()),
    vtepMacs: vtepMacs(network, identity),
    store: source.status(),
    peers: [...peerStatuses(reconciler)],
    refused,
    lastPass: totals.last,
    repairs: Object.fromEntries(totals.repairs.byKind()),
  };
}

/** What the metrics tell of an agent: nothing in it grows with the number of peers. */
export function agentMeasures(facts: AgentFacts): AgentMeasures {
  const { parts, readiness, own, reconciler, refused, totals } = facts;
  return {
    ...readiness,
    peers: reconciler.peerCounts,
    refusedLeases: refused.length,
    heldRemovals: totals.last?.held ?? 0,
    passes: totals.durations,
    changes: totals.changes,
    repairs: totals.repairs,
    leaseSinceMs: own && facts.ownSinceMs,
    leaseExpiresMs: own && (parts.source.ownExpiryMs() ?? own.expiresAtMs),
    storeHeardMs: parts.source.status().heardAtMs,
  };
}

/** What there is to say before there is an agent. */
export interface WaitingSources {
  readonly version: string;
  /** Empty if it is not known yet. */
  readonly node: string;
  readonly network: NetworkConfig | undefined;
  /** What the lease store is called. */
  readonly store: string;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  readonly problems: readonly Problem[];
}

/** Everything about a process that waits until it may be the node's agent. */
export function waitingDocument(sources: WaitingSources): AgentStatus {
  const { version, node, network, store, startedMs, problems } = sources;
  return {
    version,
    node,
    pid: process.pid,
    startedAt: new Date(startedMs).toISOString(),
    ready: false,
    readyAfterMs: undefined,
    problems,
    backend: network?.backend.type,
    network: network?.ipv4?.network,
    networkV6: network?.ipv6?.network,
    interface: undefined,
    forwarding: undefined,
    lease: undefined,
    vtepMacs: {},
    store: { name: store, problem: undefined },
    peers: [],
    refused: [],
    lastPass: undefined,
    repairs: {},
  };
}
