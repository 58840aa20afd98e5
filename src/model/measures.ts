/**
 * What is counted and timed where the work is done, for `/metrics`.
 *
 * @module
 */
import { Histogram } from './histogram.ts';
import type { Problem } from './problem.ts';
import { RepairCounts } from './repairs.ts';

/** What became of the changes of all passes. */
export type ChangeCounts = Readonly<Record<'created' | 'updated' | 'removed' | 'failed', number>>;

/** How the agent is, and what it has done since its start. */
export interface AgentMeasures {
  readonly ready: boolean;
  readonly problems: readonly Problem[];
  readonly peers: Readonly<Record<'programmed' | 'pending' | 'failed', number>>;
  readonly refusedLeases: number;
  /** Removals that wait for a second list that agrees. */
  readonly heldRemovals: number;
  /** The durations of passes: `full` are those that looked at everything. */
  readonly passes: { readonly full: Histogram; readonly partial: Histogram };
  readonly changes: ChangeCounts;
  readonly repairs: RepairCounts;
  /** Since when this process has held it, in milliseconds since the epoch; `undefined` if none is held. */
  readonly leaseSinceMs: number | undefined;
  /** Milliseconds since the epoch; `undefined` if none is held, or it does not expire. */
  readonly leaseExpiresMs: number | undefined;
  /** When the lease store was last heard of, in milliseconds since the epoch, if it is one that is watched. */
  readonly storeHeardMs: number | undefined;
}

/** Of an agent that could not begin. */
export const NOTHING_DONE: AgentMeasures = {
  ready: false,
  problems: [],
  peers: { programmed: 0, pending: 0, failed: 0 },
  refusedLeases: 0,
  heldRemovals: 0,
  passes: { full: new Histogram(), partial: new Histogram() },
  changes: { created: 0, updated: 0, removed: 0, failed: 0 },
  repairs: new RepairCounts(),
  leaseSinceMs: undefined,
  leaseExpiresMs: undefined,
  storeHeardMs: undefined,
};

/** What was asked of the kernel. */
export interface KernelMeasures {
  readonly requests: number;
  /** Refusals by the name of their errno. */
  readonly errors: ReadonlyMap<string, number>;
  /** How often events were lost, not how many. */
  readonly eventLosses: number;
}

/** Of a kernel that cannot be reached. */
export const NOTHING_ASKED: KernelMeasures = { requests: 0, errors: new Map(), eventLosses: 0 };

/** What a lease store is asked for. */
export type StoreOperation = 'own' | 'read' | 'acquire' | 'renew' | 'release';

/** Is told of each attempt to use a store: what for, how long it took, and whether it worked. */
export type StoreObserver = (operation: StoreOperation, durationMs: number, isOk: boolean) => void;

/** How the lease store answers. */
export class StoreMeasures {
  /** Of the operations that there were. */
  readonly durations = new Map<StoreOperation, Histogram>();
  readonly failures = new Map<StoreOperation, number>();

  /** Counts one attempt, a failed one too. */
  readonly observe: StoreObserver = (operation, durationMs, isOk) => {
    const durations = this.durations.get(operation) ?? new Histogram();
    this.durations.set(operation, durations);
    durations.observe(durationMs / 1000);
    const failures = this.failures.get(operation) ?? 0;
    this.failures.set(operation, isOk ? failures : failures + 1);
  };
}

/** The process as the kernel sees it. What cannot be read is `undefined`. */
export interface ProcessMeasures {
  readonly cpuSeconds: number;
  /** Seconds since the epoch. */
  readonly startSeconds: number | undefined;
  readonly residentBytes: number | undefined;
  /** The part of it that no file stands behind: what the agent really takes from the node. */
  readonly anonymousBytes: number | undefined;
  readonly virtualBytes: number | undefined;
  readonly openFiles: number | undefined;
  readonly openFilesMax: number | undefined;
}

/** All that there is to tell. */
export interface Measures {
  readonly version: string;
  readonly agent: AgentMeasures;
  readonly kernel: KernelMeasures;
  readonly store: StoreMeasures;
  readonly ownProcess: ProcessMeasures;
}
