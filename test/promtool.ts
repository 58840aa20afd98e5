/**
 * `promtool`, Prometheus' own judge of metrics and rules.
 *
 * @module
 */
import { programPath } from './program-path.ts';

/** Runs it and gives back its exit status and all that it says. */
export function promtool(args: readonly string[], input: string = ''): { status: number; said: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([programPath('promtool'), ...args], {
    stdin: Buffer.from(input),
    stderr: 'pipe',
  });
  return { status: exitCode, said: `${stdout}${stderr}` };
}
