/**
 * What `/metrics` answers. Loaded when it is asked for the first time: nodes that nobody scrapes do not pay for it.
 *
 * @module
 */
import type { Measures } from '../model/measures.ts';
import { readProcess } from './process.ts';
import { METRICS } from './table.ts';
import { formatMetrics } from './text.ts';

/** All metrics as they are now. */
export function metricsText(measures: Omit<Measures, 'ownProcess'>): string {
  return formatMetrics(METRICS, { ...measures, ownProcess: readProcess() });
}
