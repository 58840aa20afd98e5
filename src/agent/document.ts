/**
 * The status document, put together when somebody asks for it.
 *
 * @module
 */
import type { RefusedLease } from '../model/lease.ts';
import type { OwnLease } from '../model/lease-source.ts';
import type { Problem } from '../model/problem.ts';
import type { AgentStatus, PassStatus } from '../model/status.ts';
import type { Underlay } from '../model/underlay.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { AgentParts } from './parts.ts';
import { interfaceStatus, ownLeaseStatus, peerStatuses, vtepMacs } from './report.ts';

/** What the document is made from. */
export interface DocumentSources {
  readonly parts: Pick<AgentParts, 'version' | 'settings' | 'network' | 'source' | 'identity'>;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  readonly readyAfterMs: number | undefined;
  readonly readiness: { readonly ready: boolean; readonly problems: readonly Problem[] };
  readonly underlay: Underlay | undefined;
  readonly own: OwnLease | undefined;
  readonly reconciler: Reconciler;
  readonly refused: readonly RefusedLease[];
  readonly lastPass: PassStatus | undefined;
  readonly repairs: ReadonlyMap<string, number>;
}

/** Everything about an agent. */
export function statusDocument(sources: DocumentSources): AgentStatus {
  const { parts, startedMs, readyAfterMs, readiness, underlay, own, reconciler, refused, lastPass } = sources;
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
    lease: ownLeaseStatus(own, source.ownExpiryMs()),
    vtepMacs: vtepMacs(network, identity),
    store: source.status(),
    peers: [...peerStatuses(reconciler)],
    refused,
    lastPass,
    repairs: Object.fromEntries(sources.repairs),
  };
}
