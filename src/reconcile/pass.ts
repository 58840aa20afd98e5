/**
 * The record of one look at the kernel and of what it led to.
 *
 * @module
 */
import { describe } from '../model/objects.ts';
import { type RepairCause, RepairCounts } from '../model/repairs.ts';
import type { Change, Failure, Target, Verb } from './target.ts';

/** How many lines of each sort a pass may put into the log; the rest is counted. */
const LINES_MAX = 5;

/** How many of the changes that were repairs are kept. */
const REPAIRS_KEPT_MAX = 32;

/** What had been done to an object, by what puts it right. */
const CAUSES: Readonly<Record<Verb, RepairCause>> = {
  create: 'removed',
  replace: 'changed',
  recreate: 'changed',
  remove: 'added',
};

/** What became of one change. */
export type ChangeOutcome<C extends Change> = (change: C, failure: Failure | undefined) => void;

/** Counts, and the first few details, of one pass. */
export class Pass {
  readonly cause: string;
  readonly startedMs: number;
  /** Whether everything was looked at. */
  full = false;
  created = 0;
  updated = 0;
  removed = 0;
  failed = 0;
  held = 0;
  /** What had been right before and was not any more. */
  readonly repairs = new RepairCounts();
  readonly repairLines: string[] = [];
  /** The first of them. */
  readonly repairedChanges: Change[] = [];
  readonly failures: Failure[] = [];

  constructor(cause: string, startedMs: number) {
    this.cause = cause;
    this.startedMs = startedMs;
  }

  /** Makes changes and counts them. `outcome` hears of each, in order. */
  apply<C extends Change>(target: Target, changes: readonly C[], outcome?: ChangeOutcome<C>): void {
    if (changes.length === 0) return;
    const failures = target.apply(changes);
    changes.forEach((change, i) => {
      const failure = failures.get(i);
      if (failure !== undefined) this.fail(failure);
      else if (change.verb === 'create') this.created++;
      else if (change.verb === 'remove') this.removed++;
      else this.updated++;
      outcome?.(change, failure);
    });
  }

  /** Notes that an object which we had brought about had to be put right. */
  repaired(change: Change): void {
    this.repairs.add(change.object.kind, CAUSES[change.verb]);
    if (this.repairedChanges.length < REPAIRS_KEPT_MAX) this.repairedChanges.push(change);
    if (this.repairLines.length < LINES_MAX)
      this.repairLines.push(`${describe(change.object)} (${change.why})`);
  }

  /** Notes a failure. */
  fail(failure: Failure): void {
    this.failed++;
    if (this.failures.length < LINES_MAX) this.failures.push(failure);
  }
}
