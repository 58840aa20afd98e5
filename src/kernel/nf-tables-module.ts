/**
 * Whether the kernel has nf_tables already.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/**
 * Whether the kernel may have nf_tables by now: if not there are no rules, and to ask would load it. By
 * `/proc/modules` (proc_modules(5)) and modules.builtin; where these say nothing it may.
 *
 * @param read gives a file's text, `undefined` if it cannot be read
 */
export function mayHaveNfTables(read: (path: string) => string | undefined = textOf): boolean {
  const loaded = read('/proc/modules') ?? '';
  // A kernel without modules has it from the start or never.
  if (loaded === '' || /^nf_tables /m.test(loaded)) return true;
  const builtIn = read(`/lib/modules/${release()}/modules.builtin`);
  return builtIn === undefined || builtIn.includes('/nf_tables.ko');
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
