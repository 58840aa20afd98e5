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

/** Takes a value, and those of the metric's labels in their order. A value that is `undefined` is left out. */
export type Tell = (value: number | Histogram | undefined, first?: string, second?: string) => void;

/** One metric. */
export interface Metric {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** A sentence. */
  readonly help: string;
  /** Two at most. */
  readonly labels: readonly string[];
  /** Tells what it is now: one by one, since lists of them would be most of what a scrape leaves behind. */
  readonly read: (measures: Measures, tell: Tell) => void;
}

const CODES = Object.keys(REMEDIES);

const AGENT: readonly Metric[] = [
  {
    name: 'flannelette_build_info',
    type: 'gauge',
    help: 'Always 1; the label tells which version runs.',
    labels: ['version'],
    read: ({ version }, tell) => tell(1, version),
  },
  {
    name: 'flannelette_ready',
    type: 'gauge',
    help: "Whether the node's pod network is whole, as /readyz says.",
    labels: [],
    read: ({ agent }, tell) => tell(Number(agent.ready)),
  },
  {
    name: 'flannelette_problems',
    type: 'gauge',
    help: 'Problems at present by code, those too that do not keep the node from being ready.',
    labels: ['code'],
    read: ({ agent }, tell) => {
      const isNow = agent.problems.length > 0;
      for (const code of CODES)
        tell(isNow ? agent.problems.filter((each) => each.code === code).length : 0, code);
    },
  },
  {
    name: 'flannelette_peers',
    type: 'gauge',
    help: 'Peers by how far they are in the kernel.',
    labels: ['state'],
    read: ({ agent }, tell) => tellAll(agent.peers, tell),
  },
  {
    name: 'flannelette_refused_leases',
    type: 'gauge',
    help: 'Leases of other nodes that are refused at present, as the status lists them.',
    labels: [],
    read: ({ agent }, tell) => tell(agent.refusedLeases),
  },
  {
    name: 'flannelette_held_removals',
    type: 'gauge',
    help: 'Removals that wait for a second complete list of leases.',
    labels: [],
    read: ({ agent }, tell) => tell(agent.heldRemovals),
  },
  {
    name: 'flannelette_lease_start_timestamp_seconds',
    type: 'gauge',
    help: 'Since when the agent has held the lease of the node, whose age is the time since; none while none is held.',
    labels: [],
    read: ({ agent }, tell) => tell(seconds(agent.leaseSinceMs)),
  },
  {
    name: 'flannelette_lease_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the lease of the node expires unless it is renewed; none while none is held.',
    labels: [],
    read: ({ agent }, tell) => tell(seconds(agent.leaseExpiresMs)),
  },
  {
    name: 'flannelette_store_heard_timestamp_seconds',
    type: 'gauge',
    help: 'When the lease store was last heard of, if it is one that is watched all the time (Kubernetes).',
    labels: [],
    read: ({ agent }, tell) => tell(seconds(agent.storeHeardMs)),
  },
];

const WORK: readonly Metric[] = [
  {
    name: 'flannelette_pass_duration_seconds',
    type: 'histogram',
    help: 'Passes of the reconciler: a full one looks at everything, a partial one at what has moved.',
    labels: ['scope'],
    read: ({ agent }, tell) => tellAll(agent.passes, tell),
  },
  {
    name: 'flannelette_changes_total',
    type: 'counter',
    help: 'Changes of kernel objects and files by their result, those of the first pass too.',
    labels: ['result'],
    read: ({ agent }, tell) => tellAll(agent.changes, tell),
  },
  {
    name: 'flannelette_repairs_total',
    type: 'counter',
    help: 'Objects put right after something else had removed, changed or added them.',
    labels: ['kind', 'cause'],
    read: ({ agent }, tell) => {
      for (const kind of OBJECT_KINDS)
        for (const cause of REPAIR_CAUSES) tell(agent.repairs.of(kind, cause), kind, cause);
    },
  },
  {
    name: 'flannelette_netlink_requests_total',
    type: 'counter',
    help: 'Netlink messages sent to the kernel.',
    labels: [],
    read: ({ kernel }, tell) => tell(kernel.requests),
  },
  {
    name: 'flannelette_netlink_errors_total',
    type: 'counter',
    help: 'Netlink errors by errno; some are expected, such as that what is to be removed has gone.',
    labels: ['errno'],
    read: ({ kernel }, tell) => kernel.errors.forEach((count, errno) => void tell(count, errno)),
  },
  {
    name: 'flannelette_netlink_event_losses_total',
    type: 'counter',
    help: 'How often kernel events were lost, after which everything was looked at.',
    labels: [],
    read: ({ kernel }, tell) => tell(kernel.eventLosses),
  },
  {
    name: 'flannelette_store_operation_duration_seconds',
    type: 'histogram',
    help: 'Attempts to use the lease store, failed ones too.',
    labels: ['operation'],
    read: ({ store }, tell) => store.durations.forEach((each, operation) => void tell(each, operation)),
  },
  {
    name: 'flannelette_store_failures_total',
    type: 'counter',
    help: 'Attempts to use the lease store that failed, for a lock too; they are repeated.',
    labels: ['operation'],
    read: ({ store }, tell) => store.failures.forEach((count, operation) => void tell(count, operation)),
  },
];

/** Those of the client libraries, and RssAnon. */
const PROCESS: readonly Metric[] = [
  {
    name: 'flannelette_anonymous_memory_bytes',
    type: 'gauge',
    help: 'Resident memory that no file stands behind (RssAnon).',
    labels: [],
    read: ({ ownProcess }, tell) => tell(ownProcess.anonymousBytes),
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory, the pages of the executable among it.',
    labels: [],
    read: ({ ownProcess }, tell) => tell(ownProcess.residentBytes),
  },
  {
    name: 'process_virtual_memory_bytes',
    type: 'gauge',
    help: 'Virtual memory.',
    labels: [],
    read: ({ ownProcess }, tell) => tell(ownProcess.virtualBytes),
  },
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time in user and kernel mode.',
    labels: [],
    read: ({ ownProcess }, tell) => tell(ownProcess.cpuSeconds),
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'When it was started, since the epoch.',
    labels: [],
    read: ({ ownProcess }, tell) => tell(ownProcess.startSeconds),
  },
  {
    name: 'process_open_fds',
    type: 'gauge',
    help: 'Open file descriptors.',
    labels: [],
    read: ({ ownProcess }, tell) => tell(ownProcess.openFiles),
  },
  {
    name: 'process_max_fds',
    type: 'gauge',
    help: 'How many file descriptors may be open.',
    labels: [],
    read: ({ ownProcess }, tell) => tell(ownProcess.openFilesMax),
  },
];

/** All metrics. */
export const METRICS: readonly Metric[] = [...AGENT, ...WORK, ...PROCESS];

function tellAll(values: Readonly<Record<string, number | Histogram>>, tell: Tell): void {
  for (const label in values) tell(values[label], label);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
