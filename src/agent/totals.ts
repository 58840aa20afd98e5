/**
 * What all passes together have done.
 *
 * @module
 */
import { Histogram } from '../model/histogram.ts';
import { RepairCounts } from '../model/repairs.ts';
import type { PassStatus } from '../model/status.ts';
import type { Pass } from '../reconcile/pass.ts';
import { passStatus } from './report.ts';

/** Sums since the start. */
export class PassTotals {
  /** The last of them. */
  last: PassStatus | undefined;
  readonly durations = { full: new Histogram(), partial: new Histogram() };
  readonly repairs = new RepairCounts();
  readonly changes = { created: 0, updated: 0, removed: 0, failed: 0 };

  /** Adds a pass that has just ended. */
  add(pass: Pass, { durationMs, nowMs }: { readonly durationMs: number; readonly nowMs: number }): void {
    this.last = passStatus(pass, durationMs, nowMs);
    this.durations[pass.full ? 'full' : 'partial'].observe(durationMs / 1000);
    this.repairs.addAll(pass.repairs);
    this.changes.created += pass.created;
    this.changes.updated += pass.updated;
    this.changes.removed += pass.removed;
    this.changes.failed += pass.failed;
  }
}
