/**
 * Whose is what the container runtime finds: the plugin's names and the conflist.
 *
 * @module
 */
import type { CniFinding, Left } from './findings.ts';
import { quoteForShell } from './shell.ts';
import type { FileStep, RestoreStep } from './step.ts';

/** What is to be done about what was installed. */
export interface CniJudgement {
  readonly steps: readonly (FileStep | RestoreStep)[];
  readonly left: readonly Left[];
}

/** Judges each by itself; the conflist, without which no pod is made any more, stands first. */
export function judgeCni(findings: readonly CniFinding[]): CniJudgement {
  const steps: (FileStep | RestoreStep)[] = [];
  const left: Left[] = [];
  for (const { path, owner, aside } of findings) {
    if (owner === 'ours' || owner === 'nobody') {
      if (aside !== undefined) steps.push({ kind: 'restore', path, aside });
      else if (owner === 'ours') steps.push({ kind: 'file', path, part: 'network' });
      continue;
    }
    if (aside !== undefined) {
      const why = `it was set aside from ${path}, where something else is by now; if nobody needs it: rm ${quoteForShell(aside)}`;
      left.push({ what: aside, why, whose: 'others' });
    }
    if (owner === 'foreign') continue;
    const why = `nothing says that flannelette put it there; if nobody needs it: rm ${quoteForShell(path)}`;
    left.push({ what: path, why, whose: owner === 'operator' ? 'others' : 'maybe' });
  }
  return { steps, left };
}
