/**
 * flanneld's chains in the tables of `ip_tables`: found by what the kernel itself gives, removed by iptables-legacy.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { readLegacyTable } from '../../ffi/legacy-tables.ts';
import {
  FLANNELD_CHAINS,
  type FlanneldChain,
  type FlanneldRules,
  type NotRemoved,
  programName,
} from '../model/flanneld-rules.ts';
import { FAMILIES, type Family } from '../model/ip.ts';

/** What is found of it by `ip_tables`. */
export type LegacyRules = Extract<FlanneldRules, { variant: 'legacy' }>;

/** What iptables may take, waiting for others among it. */
const PATIENCE_MS = 10_000;
const LOCK_S = 5;

/** Looks only into tables that somebody has loaded. */
export function findLegacyRules(): readonly LegacyRules[] {
  return FAMILIES.flatMap((family) => {
    const tables = tablesOf(family);
    return FLANNELD_CHAINS.filter(({ table }) => tables.includes(table)).flatMap((chain) => {
      const entries = readLegacyTable(family, chain.table);
      if (typeof entries === 'number') return [];
      const bytes = Buffer.from(entries.buffer, entries.byteOffset, entries.length);
      if (![chain.name, chain.comment].some((text) => bytes.includes(`${text}\0`))) return [];
      return [{ variant: 'legacy', family, chain } as const];
    });
  });
}

function tablesOf(family: Family): readonly string[] {
  try {
    const names = family === 4 ? 'ip_tables_names' : 'ip6_tables_names';
    return readFileSync(`/proc/net/${names}`, 'utf8').split('\n');
  } catch {
    // No such kernel, or not for this process.
    return [];
  }
}

/** Removes what there is of it now, in one transaction; with `keepNeeded` nothing that pods may depend on. */
export async function removeLegacyRules(
  { family, chain }: LegacyRules,
  keepNeeded: boolean,
): Promise<NotRemoved | undefined> {
  const program = await legacyProgram(family);
  if (program === undefined) return 'no-program';
  const saved = await runProgram([`${program}-save`, '-t', chain.table], '');
  if (!saved.ok) return { reason: saved.text };
  if (keepNeeded && mayDrop(saved.text, chain)) return 'needed';
  const script = removalScript(saved.text, chain);
  if (script === undefined) return undefined;
  const restored = await runProgram([`${program}-restore`, '--noflush', '-w', String(LOCK_S)], script);
  return restored.ok ? undefined : { reason: restored.text };
}

/** Debian's name for it, or the plain one where that is not of nf_tables. */
async function legacyProgram(family: Family): Promise<string | undefined> {
  const plain = programName(family);
  const isThere = (name: string) =>
    Bun.which(`${name}-save`) !== null && Bun.which(`${name}-restore`) !== null;
  if (isThere(`${plain}-legacy`)) return `${plain}-legacy`;
  if (!isThere(plain)) return undefined;
  const { ok, text } = await runProgram([`${plain}-save`, '--version'], '');
  return ok && !text.includes('nf_tables') ? plain : undefined;
}

interface Told {
  readonly ok: boolean;
  /** What it printed, or why it failed. */
  readonly text: string;
}

async function runProgram(command: readonly string[], input: string): Promise<Told> {
  try {
    const child = Bun.spawn([...command], {
      stdin: new TextEncoder().encode(input),
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: PATIENCE_MS,
    });
    const texts = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const status = await child.exited;
    const [printed, complaint] = await texts;
    if (status === 0) return { ok: true, text: printed };
    return { ok: false, text: `${command[0]} ended with ${status}: ${complaint.trim()}` };
  } catch (error) {
    return { ok: false, text: error instanceof Error ? error.message : String(error) };
  }
}

/** Whether the chain of all programs drops what none of its rules has accepted, by what `iptables-save` prints. */
export function mayDrop(saved: string, { table, caller }: FlanneldChain): boolean {
  if (table !== 'filter') return false;
  const whole = new RegExp(`^(?::${caller} DROP\\b|-A ${caller} -j (?:DROP|REJECT)\\b)`, 'm');
  return whole.test(saved);
}

/**
 * What `iptables-restore --noflush` takes to remove flanneld's chain and what leads to it, by what `iptables-save` prints;
 * `undefined` if there is nothing.
 */
export function removalScript(
  saved: string,
  { table, name, caller, comment }: FlanneldChain,
): string | undefined {
  const lines = saved.split('\n');
  const isFlannelds = (line: string) =>
    line.endsWith(` -j ${name}`) || line.includes(` --comment "${comment}"`);
  const rules = lines.filter((line) => line.startsWith(`-A ${caller} `) && isFlannelds(line));
  const steps = rules.map((line) => `-D${line.slice('-A'.length)}`);
  if (lines.some((line) => line.startsWith(`:${name} `))) steps.push(`-F ${name}`, `-X ${name}`);
  return steps.length === 0 ? undefined : [`*${table}`, ...steps, 'COMMIT', ''].join('\n');
}
