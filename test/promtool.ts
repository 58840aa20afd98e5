/**
 * `promtool`, Prometheus' own judge of metrics and rules.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where the preparation puts it if it is not installed. */
const FETCHED = join(import.meta.dir, '../.cache/promtool');

/** Runs it and gives back its exit status and all that it says. */
export function promtool(args: readonly string[], input: string = ''): { status: number; said: string } {
  const command = existsSync(FETCHED) ? FETCHED : 'promtool';
  const { exitCode, stdout, stderr } = Bun.spawnSync([command, ...args], {
    stdin: Buffer.from(input),
    stderr: 'pipe',
  });
  return { status: exitCode, said: `${stdout}${stderr}` };
}
