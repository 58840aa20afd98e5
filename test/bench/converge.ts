/**
 * From the start of the process to the last peer in the kernel, beside iproute2's batch tools.
 *
 * @module
 */
import type { Family } from '../../src/model/ip.ts';
import { BenchNode, endAgent, untilRoutes } from './bench-node.ts';
import type { SeedOptions } from './leases.ts';
import { readProcess } from './process.ts';
import { type Row, rowOf } from './row.ts';
import { programWithTools, type ToolTimes } from './tools.ts';

interface Convergence {
  readonly wallMs: number;
  /** From the first route to the last, the other objects among them. */
  readonly programmingMs: number;
  readonly cpuMs: number;
}

/** Start of the process to the last peer's route, and the CPU time until then. */
async function converge(options: SeedOptions): Promise<Convergence> {
  using node = new BenchNode(options);
  const want = options.count * options.families.length;
  const routes = untilRoutes(node, want);
  const agent = node.startAgent();
  const { firstMs, lastMs } = await routes;
  const { cpuMs } = readProcess(agent.process.pid);
  const { routes: found, forwarding, neighbours } = node.counts();
  await endAgent(agent);
  const whole =
    found === want && (options.backend === 'host-gw' || (forwarding === want && neighbours >= want));
  if (!whole)
    throw new Error(`Not all in the kernel: ${JSON.stringify({ want, found, forwarding, neighbours })}`);
  return { wallMs: lastMs - agent.startedMs, programmingMs: lastMs - firstMs, cpuMs };
}

/** Rows for one size, backend and set of families. */
export async function convergeRows(options: SeedOptions, runs: number): Promise<Row[]> {
  const { count, families, backend } = options;
  const name = `${count} peers, ${backend}, ${familiesName(families)}`;
  const ours: Convergence[] = [];
  const tools: ToolTimes[] = [];
  for (let i = 0; i < runs; i++) {
    ours.push(await converge(options));
    tools.push(await programWithTools(options));
  }
  const row = (measure: string, values: number[]) => rowOf(`${name}: ${measure}`, values, { unit: 'ms' });
  const batch = backend === 'vxlan' ? 'bridge and ip -batch' : 'ip -batch';
  return [
    row(
      'start to all in the kernel',
      ours.map(({ wallMs }) => wallMs),
    ),
    row(
      'first to last route',
      ours.map(({ programmingMs }) => programmingMs),
    ),
    row(
      'CPU until then',
      ours.map(({ cpuMs }) => cpuMs),
    ),
    row(
      `${batch}, the same objects`,
      tools.map(({ wallMs }) => wallMs),
    ),
    row(
      'CPU of the batch tools',
      tools.map(({ cpuMs }) => cpuMs),
    ),
  ];
}

function familiesName(families: readonly Family[]): string {
  return families.length === 2 ? 'dual stack' : `IPv${families[0]}`;
}
