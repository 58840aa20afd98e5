/**
 * The record of one look at the kernel and of what it led to.
 *
 * @module
 */
import { describe, type ObjectKind } from '../model/objects.ts';
import type { Change, Failure, Target } from './target.ts';

/** How many lines of each sort a pass may put into the log; the rest is counted. */
const LINES_MAX = 5;

/** How many of the changes that were repairs are kept. */
const REPAIRS_KEPT_MAX = 32;

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
  /** What had been right before and was not any more, by kind. */
  readonly repairs = new Map<ObjectKind, number>();
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
    const { kind } = change.object;
    this.repairs.set(kind, (this.repairs.get(kind) ?? 0) + 1);
    if (this.repairedChanges.length < REPAIRS_KEPT_MAX) this.repairedChanges.push(change);
    if (this.repairLines.length < LINES_MAX)
      this.repairLines.push(`${describe(change.object)} (${change.why})`);
  }

  /** Notes a failure. */
  fail(failure: Failure): void {
    this.failed++;
    if (this.failures.length < LINES_MAX) this.failures.push(failure);
  }

  /** How many repairs in all. */
  get repairCount(): number {
    let count = 0;
    for (const each of this.repairs.values()) count += each;
    return count;
  }
}
