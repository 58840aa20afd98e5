/**
 * The metrics: one row each, with its name, what it is, and where its values come from.
 *
 * Names, units and the shape of the text are Prometheus' conventions. No label has a value for each peer, object or
 * message: a node of 5,000 peers tells as much as one of three.
 *
 * @module
 */
import type { Histogram } from '../model/histogram.ts';
import type { Measures } from '../model/measures.ts';
import { REMEDIES } from '../model/problem.ts';
import { OBJECT_KINDS, REPAIR_CAUSES } from '../model/repairs.ts';

/** A value, and those of the metric's labels in their order. */
export type Sample = readonly [value: number | Histogram | undefined, ...labelValues: string[]];

/** One metric. */
export interface Metric {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** A sentence. */
  readonly help: string;
  readonly labels: readonly string[];
  /** What it is now; a value that is `undefined` is left out. */
  readonly read: (measures: Measures) => Iterable<Sample>;
}

const AGENT: readonly Metric[] = [
  {
    name: 'flannelette_build_info',
    type: 'gauge',
    help: 'Always 1; the label tells which version runs.',
    labels: ['version'],
    read: ({ version }) => [[1, version]],
  },
  {
    name: 'flannelette_ready',
    type: 'gauge',
    help: "Whether the node's pod network is whole, as /readyz says.",
    labels: [],
    read: ({ agent }) => [[Number(agent.ready)]],
  },
  {
    name: 'flannelette_problems',
    type: 'gauge',
    help: 'Problems at present by code, those too that do not keep the node from being ready.',
    labels: ['code'],
    read: ({ agent }) => {
      const counts = new Map(Object.keys(REMEDIES).map((code) => [code, 0]));
      for (const { code } of agent.problems) counts.set(code, (counts.get(code) ?? 0) + 1);
      return [...counts].map(([code, count]) => [count, code] as const);
    },
  },
  {
    name: 'flannelette_peers',
    type: 'gauge',
    help: 'Peers by how far they are in the kernel.',
    labels: ['state'],
    read: ({ agent }) => entries(agent.peers),
  },
  {
    name: 'flannelette_refused_leases',
    type: 'gauge',
    help: 'Leases of other nodes that are refused at present, as the status lists them.',
    labels: [],
    read: ({ agent }) => [[agent.refusedLeases]],
  },
  {
    name: 'flannelette_held_removals',
    type: 'gauge',
    help: 'Removals that wait for a second complete list of leases.',
    labels: [],
    read: ({ agent }) => [[agent.heldRemovals]],
  },
  {
    name: 'flannelette_lease_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the lease of the node expires unless it is renewed; none while none is held.',
    labels: [],
    read: ({ agent }) => [[seconds(agent.leaseExpiresMs)]],
  },
];

const WORK: readonly Metric[] = [
  {
    name: 'flannelette_pass_duration_seconds',
    type: 'histogram',
    help: 'Passes of the reconciler: a full one looks at everything, a partial one at what has moved.',
    labels: ['scope'],
    read: ({ agent }) => entries(agent.passes),
  },
  {
    name: 'flannelette_changes_total',
    type: 'counter',
    help: 'Changes of kernel objects and files by their result, those of the first pass too.',
    labels: ['result'],
    read: ({ agent }) => entries(agent.changes),
  },
  {
    name: 'flannelette_repairs_total',
    type: 'counter',
    help: 'Objects put right after something else had removed, changed or added them.',
    labels: ['kind', 'cause'],
    read: ({ agent }) =>
      OBJECT_KINDS.flatMap((kind) =>
        REPAIR_CAUSES.map((cause) => [agent.repairs.of(kind, cause), kind, cause] as const),
      ),
  },
  {
    name: 'flannelette_netlink_requests_total',
    type: 'counter',
    help: 'Netlink messages sent to the kernel.',
    labels: [],
    read: ({ kernel }) => [[kernel.requests]],
  },
  {
    name: 'flannelette_netlink_errors_total',
    type: 'counter',
    help: 'Netlink errors by errno; some are expected, such as that what is to be removed has gone.',
    labels: ['errno'],
    read: ({ kernel }) => [...kernel.errors].map(([errno, count]) => [count, errno] as const),
  },
  {
    name: 'flannelette_netlink_event_losses_total',
    type: 'counter',
    help: 'How often kernel events were lost, after which everything was looked at.',
    labels: [],
    read: ({ kernel }) => [[kernel.eventLosses]],
  },
  {
    name: 'flannelette_store_operation_duration_seconds',
    type: 'histogram',
    help: 'Attempts to use the lease store, failed ones too.',
    labels: ['operation'],
    read: ({ store }) => [...store.durations].map(([operation, each]) => [each, operation] as const),
  },
  {
    name: 'flannelette_store_failures_total',
    type: 'counter',
    help: 'Attempts to use the lease store that failed, for a lock too; they are repeated.',
    labels: ['operation'],
    read: ({ store }) => [...store.failures].map(([operation, count]) => [count, operation] as const),
  },
];

/** Those of the client libraries, and RssAnon. */
const PROCESS: readonly Metric[] = [
  {
    name: 'flannelette_anonymous_memory_bytes',
    type: 'gauge',
    help: 'Resident memory that no file stands behind (RssAnon).',
    labels: [],
    read: ({ ownProcess }) => [[ownProcess.anonymousBytes]],
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory, the pages of the executable among it.',
    labels: [],
    read: ({ ownProcess }) => [[ownProcess.residentBytes]],
  },
  {
    name: 'process_virtual_memory_bytes',
    type: 'gauge',
    help: 'Virtual memory.',
    labels: [],
    read: ({ ownProcess }) => [[ownProcess.virtualBytes]],
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time in user and kernel mode.',
    labels: [],
    read: ({ ownProcess }) => [[ownProcess.cpuSeconds]],
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'When it was started, since the epoch.',
    labels: [],
    read: ({ ownProcess }) => [[ownProcess.startSeconds]],
  },
  {
    name: 'process_open_fds',
    type: 'gauge',
    help: 'Open file descriptors.',
    labels: [],
    read: ({ ownProcess }) => [[ownProcess.openFiles]],
  },
  {
    name: 'process_max_fds',
    type: 'gauge',
    help: 'How many file descriptors may be open.',
    labels: [],
    read: ({ ownProcess }) => [[ownProcess.openFilesMax]],
  },
];

/** All metrics. */
export const METRICS: readonly Metric[] = [...AGENT, ...WORK, ...PROCESS];

function entries<T extends number | Histogram>(values: Readonly<Record<string, T>>): Sample[] {
  return Object.entries(values).map(([label, value]) => [value, label] as const);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
