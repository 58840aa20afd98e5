/**
 * flanneld's chains in the tables of `ip_tables`: found by what the kernel itself gives, removed by iptables-legacy.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { readLegacyTable } from '../../ffi/legacy-tables.ts';
import { hasPrograms, LOCK_WORDS, runProgram, variantOf } from '../iptables/programs.ts';
import { foundChain, removalScript } from '../iptables/text.ts';
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
  const saved = await runProgram([`${program}-save`, '-t', chain.table]);
  if (!saved.ok) return { reason: saved.text };
  if (keepNeeded && mayDrop(saved.text, chain)) return 'needed';
  const script = removalScript(chain, foundChain(saved.text, chain));
  if (script === undefined) return undefined;
  const restored = await runProgram([`${program}-restore`, '--noflush', ...LOCK_WORDS], script);
  return restored.ok ? undefined : { reason: restored.text };
}

/** Debian's name for it, or the plain one where that is not of nf_tables. */
async function legacyProgram(family: Family): Promise<string | undefined> {
  const plain = programName(family);
  if (hasPrograms(`${plain}-legacy`)) return `${plain}-legacy`;
  return hasPrograms(plain) && (await variantOf(plain)) === 'legacy' ? plain : undefined;
}

/** Whether the chain of all programs drops what none of its rules has accepted, by what `iptables-save` prints. */
export function mayDrop(saved: string, { table, caller }: FlanneldChain): boolean {
  if (table !== 'filter') return false;
  const whole = new RegExp(`^(?::${caller} DROP\\b|-A ${caller} -j (?:DROP|REJECT)\\b)`, 'm');
  return whole.test(saved);
}
