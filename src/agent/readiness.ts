/**
 * Whether the node's pod network is whole, and what stands in the way.
 *
 * @module
 */
import { type Problem, problem } from '../model/problem.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { AgentParts } from './parts.ts';
import {
  blockingInterfaceProblems,
  fightProblems,
  harmlessProblems,
  kernelProblems,
  overlapProblems,
} from './report.ts';
import type { UnderlayFollower } from './underlay-follower.ts';

/** See the module. The most important problem comes first; those of a node that is ready are only told. */
export interface Readiness {
  readonly ready: boolean;
  readonly problems: readonly Problem[];
}

/** What readiness is found from. */
export interface ReadinessSources {
  readonly parts: Pick<AgentParts, 'network' | 'source' | 'settings' | 'otherProblems' | 'otherHindrances'>;
  readonly underlay: UnderlayFollower;
  readonly leaseProblem: Problem | undefined;
  readonly stateProblem: Problem | undefined;
  readonly reconciler: Reconciler;
  /** How many removals wait for a second list. */
  readonly held: number;
}

/** Asks every part. */
export function readinessOf(sources: ReadinessSources): Readiness {
  const blocking = blockingProblems(sources);
  return { ready: blocking.length === 0, problems: [...blocking, ...warnings(sources)] };
}

function blockingProblems({
  parts,
  underlay,
  leaseProblem,
  stateProblem,
  reconciler,
}: ReadinessSources): Problem[] {
  const { network, source, settings } = parts;
  const problems: (Problem | undefined)[] = [
    underlay.problem,
    ...blockingInterfaceProblems(network, underlay.current),
    leaseProblem,
    source.status().problem,
    stateProblem,
    ...kernelProblems(reconciler),
    ...fightProblems(reconciler).waiting,
    ...(parts.otherHindrances?.() ?? []),
  ];
  // What the store cannot do is the lease's problem as well.
  const byMessage = new Map(problems.flatMap((each) => (each === undefined ? [] : [[each.message, each]])));
  const found = [...byMessage.values()];
  if (found.length > 0 || reconciler.converged) return found;
  return [problem('starting', `The network of node ${settings.nodeName} is being set up`)];
}

function warnings({ parts, underlay, reconciler, held }: ReadinessSources): Problem[] {
  const waiting =
    held > 0 ? [problem('removal-held', `${held} removals wait for a second complete list`)] : [];
  return [
    ...waiting,
    ...fightProblems(reconciler).inPlace,
    ...harmlessProblems(reconciler),
    ...overlapProblems(parts.network, underlay.current),
    ...parts.otherProblems(),
  ];
}
