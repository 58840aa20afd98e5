/**
 * The executable itself: its size, and how soon it does something.
 *
 * @module
 */
import { existsSync, statSync } from 'node:fs';
import { BenchNode, EXECUTABLE, endAgent } from './bench-node.ts';
import { type Row, rowOf } from './row.ts';

/** Size and, since that takes a minute, compressed size if `compress` says so. */
export function executableRows(compress: boolean): Row[] {
  const size = (bytes: number) => bytes / 1e6;
  const rows = [rowOf('executable', [size(statSync(EXECUTABLE).size)], { unit: 'MB' })];
  if (!compress) return rows;
  const xz = Bun.spawnSync(['sh', '-c', 'xz -6 -T0 -c "$1" | wc -c', 'sh', EXECUTABLE]);
  const bytes = Number(xz.stdout.toString());
  return [...rows, rowOf('executable, compressed by xz -6', [size(bytes)], { unit: 'MB' })];
}

/** Start of a command that does nothing, and of the agent until it has written subnet.env. */
export async function startRows(runs: number): Promise<Row[]> {
  const [version, cold]: [number[], number[]] = [[], []];
  for (let i = 0; i < 20; i++) version.push(startOf('version'));
  for (let i = 0; i < runs; i++) cold.push(await coldStart());
  return [
    rowOf("start of 'version'", version, { unit: 'ms' }),
    rowOf('process start to subnet.env', cold, { unit: 'ms' }),
  ];
}

function startOf(command: string): number {
  const startMs = performance.now();
  const { exitCode } = Bun.spawnSync([EXECUTABLE, command], { stdout: 'ignore' });
  if (exitCode !== 0) throw new Error(`'${command}' ended with ${exitCode}`);
  return performance.now() - startMs;
}

async function coldStart(): Promise<number> {
  using node = new BenchNode({ count: 3, families: [4], backend: 'vxlan' });
  const agent = node.startAgent();
  while (!existsSync(node.path('subnet.env'))) await Bun.sleep(0.2);
  const wallMs = performance.now() - agent.startedMs;
  await endAgent(agent);
  return wallMs;
}
