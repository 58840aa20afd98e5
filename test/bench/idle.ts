/**
 * What an agent does while nothing happens.
 *
 * @module
 */
import { BenchNode, endAgent, startedAgent } from './bench-node.ts';
import { readActivity } from './process.ts';
import { type Row, rowOf } from './row.ts';

/** The first moments are collection and compilation. */
const QUIET_MS = 60_000;
const OBSERVED_MS = 120_000;
const QUICK_MS = 5_000;

/** Rows for agents of these sizes, observed at the same time. */
export async function idleRows(counts: readonly number[], quick: boolean): Promise<Row[]> {
  const rows = await Promise.all(counts.map((count) => idleOf(count, quick)));
  return rows.flat();
}

async function idleOf(count: number, quick: boolean): Promise<Row[]> {
  using node = new BenchNode({ count, families: [4], backend: 'vxlan' });
  const agent = await startedAgent(node);
  await Bun.sleep(quick ? QUICK_MS : QUIET_MS);
  const [before, startMs] = [readActivity(agent.process.pid), performance.now()];
  await Bun.sleep(quick ? QUICK_MS : OBSERVED_MS);
  const [after, seconds] = [readActivity(agent.process.pid), (performance.now() - startMs) / 1_000];
  await endAgent(agent);
  const cpuMs = (after.cpuNs - before.cpuNs) / 1e6 / seconds;
  const wakeUps = ((after.wakeUps - before.wakeUps) / seconds) * 60;
  return [
    rowOf(`idle, ${count} peers: CPU a second`, [cpuMs], { unit: 'ms', digits: 3, reach: { median: 0.1 } }),
    rowOf(`idle, ${count} peers: wake-ups a minute`, [wakeUps], {
      unit: '',
      digits: 1,
      reach: { median: 30 },
    }),
  ];
}
