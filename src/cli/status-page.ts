/**
 * The status of an agent as a page for a person.
 *
 * @module
 */
import { formatDuration } from './duration.ts';
import type { StatusDocument } from './status-document.ts';
import { type Fact, factsOf } from './status-facts.ts';
import { peerLines, refusedLines } from './status-peers.ts';
import { type Style, styleOf } from './style.ts';

/** How {@link formatStatusPage} writes. */
export interface PageOptions {
  /** Milliseconds since the epoch, for "4 s ago". */
  readonly nowMs: number;
  readonly colour: boolean;
  /** Whether every peer is listed, however many there are. */
  readonly allPeers: boolean;
}

/** The whole page with its last line end. */
export function formatStatusPage(status: StatusDocument, options: PageOptions): string {
  const style = styleOf(options.colour);
  const peerOptions = { style, allPeers: options.allPeers };
  const sections = [
    [headline(status, options.nowMs, style), ...problemLines(status, style)],
    factLines(factsOf(status, options.nowMs), style),
    peerLines(status, peerOptions),
    refusedLines(status, peerOptions),
  ];
  const filled = sections.filter((lines) => lines.length > 0);
  return `${filled.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function headline(status: StatusDocument, nowMs: number, style: Style): string {
  const node = style.bold(status.node);
  const { length } = status.problems;
  const problems = `${length} ${length === 1 ? 'problem' : 'problems'}`;
  if (!status.ready) {
    return `${style.bad('✗')} ${node} is ${style.bad('not ready')}${length > 0 ? `: ${problems}` : ''}`;
  }
  const details: string[] = [];
  const startedMs = Date.parse(status.startedAt ?? '');
  if (!Number.isNaN(startedMs)) details.push(`up for ${formatDuration(nowMs - startedMs)}`);
  if (status.readyAfterMs !== undefined) details.push(`ready in ${formatDuration(status.readyAfterMs)}`);
  if (length > 0) details.push(style.warn(problems));
  return `${style.good('✓')} ${[`${node} is ${style.good('ready')}`, ...details].join(', ')}`;
}

function problemLines({ problems }: StatusDocument, style: Style): string[] {
  return problems.flatMap(({ code, message, remedy }) => [
    `  ${style.bad('✗')} ${message} ${style.dim(`[${code}]`)}`,
    ...(remedy === '' ? [] : [`    → ${remedy}`]),
  ]);
}

function factLines(facts: readonly Fact[], style: Style): string[] {
  const width = Math.max(...facts.map(({ label }) => label.length));
  return facts.flatMap(({ label, lines }) =>
    lines.map((line, i) => `  ${style.dim((i === 0 ? label : '').padEnd(width))}  ${line}`),
  );
}
