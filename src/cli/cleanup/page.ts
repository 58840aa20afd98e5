/**
 * What `flannelette cleanup` prints.
 *
 * @module
 */
import { printable } from '../../model/printable.ts';
import type { Left } from '../../removal/findings.ts';
import { commandOf, type Outcome, type Step, titleOf } from '../../removal/step.ts';
import type { Style } from '../style.ts';

/** What a dry run found. */
export interface PlannedCleanup {
  readonly node: string;
  readonly steps: readonly Step[];
  readonly left: readonly Left[];
  /** Who would put everything back, in words. */
  readonly agent: string | undefined;
}

/** What a cleanup did. */
export interface DoneCleanup {
  readonly node: string;
  readonly outcomes: readonly Outcome[];
  readonly left: readonly Left[];
}

/** Commands for a shell that would remove the same; all else is in comments. */
export function formatPlanned({ node, steps, left, agent }: PlannedCleanup): string {
  const warning =
    agent === undefined
      ? []
      : [printable(`# ${agent}: it has to be stopped before, or it puts everything back`)];
  const head =
    steps.length === 0
      ? '# Nothing to remove'
      : `# What cleanup would remove from node ${printable(node)}, in this order; nothing was changed`;
  const comments = leftLines(left).map((line) => `# ${line}`);
  return page([...warning, head, ...steps.map((step) => printable(commandOf(step))), ...comments]);
}

/** The same list with what became of each. */
export function formatDone({ node, outcomes, left }: DoneCleanup, style: Style): string {
  const failed = outcomes.filter(({ error }) => error !== undefined);
  const lines = outcomes.map(({ step, error }) => {
    const title = printable(titleOf(step));
    if (error === undefined) return `${style.good('✓')} ${title}`;
    return `${style.bad('✗')} ${title}: ${printable(error)}`;
  });
  return page([
    ...lines,
    ...leftLines(left),
    summary({ node, removed: outcomes.length - failed.length, left, failed }),
  ]);
}

interface Sum {
  readonly node: string;
  readonly removed: number;
  readonly failed: readonly Outcome[];
  readonly left: readonly Left[];
}

function summary({ node, removed, failed, left }: Sum): string {
  const remaining = failed.length + left.filter(isOurs).length;
  const rest = remaining === 0 ? 'nothing of flannelette is left' : `${remaining} left, see above`;
  if (removed > 0) return `Removed ${removed} from node ${printable(node)}; ${rest}`;
  return remaining === 0 ? 'Nothing to remove' : `Nothing was removed; ${rest}`;
}

function isOurs({ whose }: Left): boolean {
  return whose !== 'others';
}

/** Things left for one reason are told together; there may be thousands. */
const SHOWN = 5;

function leftLines(left: readonly Left[]): string[] {
  return [
    ...section(
      "Left, and flannelette's:",
      left.filter(({ whose }) => whose === 'ours'),
    ),
    ...section(
      "Left, and perhaps flannelette's:",
      left.filter(({ whose }) => whose === 'maybe'),
    ),
    ...section(
      "Left, not flannelette's to remove:",
      left.filter(({ whose }) => whose === 'others'),
    ),
  ];
}

function section(title: string, left: readonly Left[]): string[] {
  if (left.length === 0) return [];
  const lines = [...Map.groupBy(left, ({ why }) => why)].flatMap(([why, group]) => {
    const rest = group.length - SHOWN;
    const things = group.slice(0, SHOWN).map(({ what }) => what);
    return [printable(`  ${things.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}: ${why}`)];
  });
  return [title, ...lines];
}

function page(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

/** One JSON object, for programs. */
export function cleanupJson(cleanup: PlannedCleanup | DoneCleanup): string {
  const { node, left } = cleanup;
  const steps =
    'steps' in cleanup
      ? cleanup.steps.map((step) => ({ what: titleOf(step), kind: kindOf(step), outcome: 'planned' }))
      : cleanup.outcomes.map(({ step, error }) => ({
          what: titleOf(step),
          kind: kindOf(step),
          outcome: error === undefined ? doneOf(step) : 'failed',
          error,
        }));
  const agent = 'steps' in cleanup ? cleanup.agent : undefined;
  return `${JSON.stringify({ node, dryRun: 'steps' in cleanup, agent, steps, left })}\n`;
}

function doneOf(step: Step): string {
  if (step.kind === 'setting') return 'set';
  return step.kind === 'restore' ? 'restored' : 'removed';
}

function kindOf(step: Step): string {
  return step.kind === 'object' ? step.object.kind : step.kind;
}
