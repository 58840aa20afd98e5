/**
 * What pods lose while agents are ended and started again.
 *
 * @module
 */
import type { Pod } from '../../src/cli/demo/pods.ts';
import { createLab } from '../net/lab.ts';
import { PingStream } from '../net/ping-stream.ts';
import { type Row, rowOf } from './row.ts';

/** Pings every 10 ms between two pods, both families, both ways, while their agents are restarted in turn. */
export async function restartRows(signal: 'SIGKILL' | 'SIGTERM', times: number): Promise<Row[]> {
  await using lab = await createLab({ nodes: 2 });
  await lab.startAll();
  const pods = await lab.addPods();
  const lost: number[] = [];
  let sent = 0;
  for (let i = 0; i < times; i++) {
    const streams = streamsBetween(pods);
    for (const node of lab.nodes) {
      await node.agent.stop(signal);
      await node.start().ready();
    }
    await lab.settled();
    await Bun.sleep(100);
    const counts = await Promise.all(streams.map((stream) => stream.stop()));
    lost.push(counts.reduce((sum, count) => sum + count.lost, 0));
    sent += counts.reduce((sum, count) => sum + count.sent, 0);
  }
  const name = signal === 'SIGKILL' ? 'kill -9' : signal;
  const total = lost.reduce((sum, count) => sum + count, 0);
  return [
    {
      ...rowOf(`${name} of two agents and restart: pings lost`, lost, { unit: '', digits: 0 }),
      result: `${total} of ${sent}`,
      reach: { text: '0', met: total === 0 },
    },
  ];
}

function streamsBetween(pods: readonly Pod[]): PingStream[] {
  const [one, two] = pods;
  if (one === undefined || two === undefined) throw new Error('There are no two pods');
  return ([4, 6] as const).flatMap((family) => [
    new PingStream({ from: one, to: two, family }),
    new PingStream({ from: two, to: one, family }),
  ]);
}
