/**
 * Runs iptables' programs as children, without holding anybody up.
 *
 * @module
 */

/** What iptables may take, waiting for others among it. */
const PATIENCE_MS = 10_000;

/** What came of a program. */
export interface Told {
  readonly ok: boolean;
  /** What it printed, or why it failed. */
  readonly text: string;
}

/** So many seconds `iptables-restore` waits for the lock that all of iptables-legacy share. */
export const LOCK_WORDS = ['-w', '5'] as const;

/** Runs one to its end. */
export async function runProgram(command: readonly string[], input = ''): Promise<Told> {
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

/** Whether both programs of that name are there that rules are read and written by. */
export function hasPrograms(name: string): boolean {
  return Bun.which(`${name}-save`) !== null && Bun.which(`${name}-restore`) !== null;
}

/** Of which kind a program is that is there. */
export async function variantOf(name: string): Promise<'nft' | 'legacy' | undefined> {
  const { ok, text } = await runProgram([`${name}-save`, '--version']);
  if (!ok) return undefined;
  return text.includes('nf_tables') ? 'nft' : 'legacy';
}
