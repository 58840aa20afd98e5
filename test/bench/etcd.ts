/**
 * Leases in a real etcd on the same machine: from the start of the process to the last peer in the kernel, and what
 * is left in memory.
 *
 * @module
 */
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { BenchNode, endAgent, untilRoutes } from './bench-node.ts';
import { type ProcessUse, readProcess } from './process.ts';
import { type Row, rowOf } from './row.ts';

/** The collector and the allocator have done their work by then. */
const REST_MS = 30_000;
const QUICK_REST_MS = 1_000;

/** What is meant to be reached, by the number of leases. */
const REACH_MS: Readonly<Record<number, number>> = { 1000: 350, 5000: 1_000 };

interface EtcdRun {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly rest: ProcessUse;
}

/** Rows for one number of leases. */
export async function etcdRows(
  count: number,
  { runs, quick }: { runs: number; quick: boolean },
): Promise<Row[]> {
  const all: EtcdRun[] = [];
  for (let i = 0; i < runs; i++) all.push(await start(count, quick ? QUICK_REST_MS : REST_MS));
  const name = `${count} leases in etcd`;
  const reach = REACH_MS[count];
  const mb = (kib: (use: ProcessUse) => number) => all.map(({ rest }) => kib(rest) / 1024);
  return [
    rowOf(
      `${name}: start to all in the kernel`,
      all.map(({ wallMs }) => wallMs),
      { unit: 'ms', ...(reach === undefined ? {} : { reach: { median: reach } }) },
    ),
    rowOf(
      `${name}: CPU until then`,
      all.map(({ cpuMs }) => cpuMs),
      { unit: 'ms' },
    ),
    rowOf(
      `${name}: RssAnon at rest`,
      mb(({ anonKib }) => anonKib),
      { unit: 'MB' },
    ),
    rowOf(
      `${name}: peak RSS`,
      mb(({ peakKib }) => peakKib),
      { unit: 'MB' },
    ),
  ];
}

async function start(count: number, restMs: number): Promise<EtcdRun> {
  using node = new BenchNode({ count: 0, families: [4], backend: 'vxlan' });
  const command = [process.execPath, join(import.meta.dir, 'etcd-stage.ts'), `${count}`];
  const etcd = inNetns(node.netns, () => Bun.spawn(command, { stdio: ['pipe', 'pipe', 'inherit'] }));
  const { value } = await etcd.stdout.getReader().read();
  const endpoint = new TextDecoder().decode(value).trim();
  if (endpoint === '') throw new Error('No etcd');
  const routes = untilRoutes(node, count);
  const agent = node.startAgent([], { 'etcd-endpoints': endpoint });
  const { lastMs } = await routes;
  const { cpuMs } = readProcess(agent.process.pid);
  await Bun.sleep(restMs);
  const rest = readProcess(agent.process.pid);
  await endAgent(agent);
  etcd.stdin.end();
  await etcd.exited;
  return { wallMs: lastMs - agent.startedMs, cpuMs, rest };
}
