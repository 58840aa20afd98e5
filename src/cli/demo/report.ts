/**
 * The demo's findings as tables for people and as one JSON object for programs.
 *
 * @module
 */
import { FAMILIES, type Family, type Prefix } from '../../model/ip.ts';
import { formatTable, textWidth } from '../table.ts';
import type { Memory } from './agents.ts';

/** One node, after all is over. */
export interface NodeFinding {
  readonly name: string;
  readonly subnets: ReadonlyMap<Family, Prefix>;
  /** From the start of the process until it said that it is ready. */
  readonly readyMs: number;
  readonly memory: Memory;
  /** The median of its pod's pings; `undefined` if there were none with a reply. */
  readonly roundTripMs: number | undefined;
}

/** One damage, after all is over. */
export interface RepairFinding {
  readonly node: string;
  readonly what: string;
  /** `undefined` if it was not repaired. */
  readonly ms: number | undefined;
  /** Pings from and to the node's pod afterwards. */
  readonly pings: PingCount;
}

/** How many pings there were, and how many had a reply. */
export interface PingCount {
  readonly sent: number;
  readonly ok: number;
}

/** Everything that the demo found out. */
export interface Findings {
  readonly families: readonly Family[];
  readonly nodes: readonly NodeFinding[];
  /** Between pods. */
  readonly pings: ReadonlyMap<Family, PingCount>;
  /** From pods to the host beyond the nodes. */
  readonly outside: ReadonlyMap<Family, PingCount>;
  readonly repairs: readonly RepairFinding[];
}

/** Whether every ping had its reply and everything was repaired. */
export function allWell({ pings, outside, repairs }: Findings): boolean {
  const counts = [...pings.values(), ...outside.values(), ...repairs.map((repair) => repair.pings)];
  return counts.every(complete) && repairs.every(({ ms }) => ms !== undefined);
}

/** Whether every ping had its reply. */
export function complete({ sent, ok }: PingCount): boolean {
  return sent === ok;
}

/** One line a node, with lines around it if that fits into `columns`. */
export function nodesTable({ families, nodes, repairs }: Findings, columns: number): string {
  const repairsOf = (name: string) =>
    repairs.filter(({ node, ms }) => node === name && ms !== undefined).length;
  const header = [
    'node',
    ...families.map((family) => `IPv${family} subnet`),
    'ready',
    'VmRSS',
    'RssAnon',
    'round trip',
    'repairs',
  ];
  const rows = nodes.map((node) => [
    node.name,
    ...families.map((family) => node.subnets.get(family) ?? '–'),
    milliseconds(node.readyMs, 0),
    megabytes(node.memory.rssKib),
    megabytes(node.memory.anonKib),
    milliseconds(node.roundTripMs, 2),
    `${repairsOf(node.name) || '–'}`,
  ]);
  return fittingTable(header, rows, columns);
}

/** One line a damage. `mark` draws a tick or a cross. */
export function repairsTable(
  { repairs }: Findings,
  { columns, mark }: { columns: number; mark: (good: boolean) => string },
): string {
  const rows = repairs.map(({ what, node, ms, pings }) => [
    what,
    node,
    milliseconds(ms, 1),
    pings.sent === 0 ? '–' : `${mark(complete(pings))} ${pings.ok} of ${pings.sent}`,
  ]);
  return fittingTable(['what was done', 'on', 'repaired after', 'pods talk again'], rows, columns);
}

/** The findings in one line of JSON. What was not measured is `null`. */
export function findingsJson(findings: Findings): string {
  return JSON.stringify({
    ok: allWell(findings),
    nodes: findings.nodes.map(({ name, subnets, readyMs, memory }) => ({
      name,
      subnet: subnets.get(4) ?? null,
      subnetV6: subnets.get(6) ?? null,
      readyMs: rounded(readyMs),
      rssKib: memory.rssKib,
      anonKib: memory.anonKib,
    })),
    pings: countsJson(findings.pings),
    outside: countsJson(findings.outside),
    repairs: findings.repairs.map(({ what, node, ms }) => ({
      what: `${what} on ${node}`,
      ms: ms === undefined ? null : rounded(ms),
    })),
  });
}

/** The JSON of a run that came to no findings. */
export function failureJson(): string {
  return JSON.stringify({
    ok: false,
    nodes: [],
    pings: countsJson(new Map()),
    outside: countsJson(new Map()),
    repairs: [],
  });
}

function countsJson(counts: ReadonlyMap<Family, PingCount>): Readonly<Record<string, PingCount>> {
  return Object.fromEntries(
    FAMILIES.map((family) => [`v${family}`, counts.get(family) ?? { sent: 0, ok: 0 }]),
  );
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

/** A duration for people. */
export function milliseconds(ms: number | undefined, digits: number): string {
  return ms === undefined ? '–' : `${ms.toFixed(digits)} ms`;
}

function fittingTable(header: readonly string[], rows: readonly string[][], columns: number): string {
  const boxed = formatTable(header, rows, { box: true });
  return textWidth(boxed.split('\n', 1)[0] ?? '') <= columns ? boxed : formatTable(header, rows);
}

function megabytes(kib: number): string {
  return `${(kib / 1024).toFixed(1)} MB`;
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
