/**
 * What `/metrics` answers. Loaded when it is asked for the first time: nodes that nobody scrapes do not pay for it.
 *
 * @module
 */
import {
  type AgentMeasures,
  type KernelMeasures,
  NOTHING_ASKED,
  NOTHING_DONE,
  type StoreMeasures,
} from '../model/measures.ts';
import type { Problem } from '../model/problem.ts';
import { readProcess } from './process.ts';
import { METRICS } from './table.ts';
import { formatMetrics } from './text.ts';

/** Where the measures are. There is neither agent nor kernel while no netlink socket can be opened. */
export interface MetricsSources {
  readonly version: string;
  readonly agent: { measures(): AgentMeasures } | undefined;
  readonly kernel: { measures(): KernelMeasures } | undefined;
  readonly store: StoreMeasures;
  /** What is told in the agent's place while there is none. */
  readonly problems: readonly Problem[];
}

/** All metrics as they are now. */
export function metricsText({ version, agent, kernel, store, problems }: MetricsSources): string {
  return formatMetrics(METRICS, {
    version,
    agent: agent?.measures() ?? { ...NOTHING_DONE, problems },
    kernel: kernel?.measures() ?? NOTHING_ASKED,
    store,
    ownProcess: readProcess(),
  });
}
