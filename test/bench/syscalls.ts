/**
 * How often the kernel is called until a thousand peers are in it.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { BenchNode, untilRoutes } from './bench-node.ts';
import { type Row, rowOf } from './row.ts';

/** Counted by strace, of all threads. */
export async function syscallRows(count: number): Promise<Row[]> {
  using node = new BenchNode({ count, families: [4], backend: 'vxlan' });
  const report = node.path('strace');
  const routes = untilRoutes(node, count);
  const strace = node.startAgent(['strace', '-f', '-c', '-o', report]);
  await routes;
  const { pid } = strace.process;
  const agent = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  process.kill(Number(agent), 'SIGKILL');
  await strace.process.exited;
  const text = readFileSync(report, 'utf8');
  const total = /^\s*100\.00\s.*?(\d+)\s+(?:\d+\s+)?total$/m.exec(text)?.[1];
  if (total === undefined) throw new Error(`strace did not count:\n${text}`);
  return [
    rowOf(`system calls, start to ${count} peers`, [Number(total)], {
      unit: '',
      digits: 0,
      reach: { median: 2_500 },
    }),
  ];
}
