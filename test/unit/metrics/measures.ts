/**
 * Measures as an agent that has worked gives them.
 *
 * @module
 */
import { Histogram } from '../../../src/model/histogram.ts';
import { type Measures, StoreMeasures } from '../../../src/model/measures.ts';
import { problem } from '../../../src/model/problem.ts';
import { RepairCounts } from '../../../src/model/repairs.ts';

/** A histogram of these durations. */
export function histogramOf(...seconds: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const each of seconds) histogram.observe(each);
  return histogram;
}

/** An agent with 12 peers, of which two are not programmed, after some repairs. */
export function sampleMeasures(): Measures {
  const repairs = new RepairCounts();
  repairs.add('route', 'removed', 3);
  repairs.add('link', 'changed');
  const store = new StoreMeasures();
  store.observe('read', 2, true);
  store.observe('acquire', 5_200, false);
  return {
    version: '1.2.3+abc',
    agent: {
      ready: false,
      problems: [problem('object-failed', 'one'), problem('object-failed', 'two'), problem('fight', 'three')],
      peers: { programmed: 10, pending: 1, failed: 1 },
      refusedLeases: 2,
      heldRemovals: 4,
      passes: { full: histogramOf(0.02, 0.3), partial: histogramOf(0.001) },
      changes: { created: 30, updated: 4, removed: 1, failed: 5 },
      repairs,
      leaseSinceMs: 1_799_999_000_250,
      leaseExpiresMs: 1_800_000_000_500,
      storeHeardMs: 1_800_000_000_250,
    },
    kernel: { requests: 99, errors: new Map([['ENODEV', 2]]), eventLosses: 1 },
    store,
    ownProcess: {
      cpuSeconds: 0.25,
      startSeconds: 1_799_999_000.12,
      residentBytes: 40 * 1024 * 1024,
      anonymousBytes: 6 * 1024 * 1024,
      virtualBytes: 2 ** 36,
      openFiles: 21,
      openFilesMax: 1024,
    },
  };
}
