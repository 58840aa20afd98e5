/**
 * What flanneld has made with iptables, and an agent with `--iptables` alike: an operator says whose it is.
 *
 * @module
 */
import { flanneldRulesName } from '../model/flanneld-rules.ts';
import type { Findings, Left } from './findings.ts';
import { flanneldRuns } from './kernel.ts';
import type { IptablesStep } from './step.ts';

/** See the module. */
export function judgeIptables(
  { iptables, flanneld }: Pick<Findings, 'iptables' | 'flanneld'>,
  { adopt, isOurs }: { readonly adopt: boolean; readonly isOurs: boolean },
): { readonly steps: readonly IptablesStep[]; readonly left: readonly Left[] } {
  if (adopt || (isOurs && flanneld === undefined))
    return { steps: iptables.map((rules) => ({ kind: 'iptables', rules })), left: [] };
  const why = flanneld === undefined ? LEFT_BEHIND : flanneldRuns(flanneld);
  const left = iptables.map((rules) => ({ what: flanneldRulesName(rules), why, whose: 'others' }) as const);
  return { steps: [], left };
}

const LEFT_BEHIND =
  'flanneld makes it; if flanneld of this node has left it, --adopt takes it, or --iptables if an agent with that flag has made it';
