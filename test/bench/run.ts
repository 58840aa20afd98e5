/**
 * `npm run bench`: what the agent costs, beside iproute2's batch tools in the same run.
 *
 *     npm run bench                all of it, some minutes
 *     npm run bench -- --quick     small sizes, one run each: shows that the bench works
 *     npm run bench -- --json      the rows as JSON, at the end
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../../src/cli/table.ts';
import type { Family } from '../../src/model/ip.ts';
import { BenchNode, endAgent, readProcess } from './bench-node.ts';
import type { SeedOptions } from './leases.ts';
import { median, range } from './statistics.ts';
import { programWithTools, type ToolTimes } from './tools.ts';

const EXECUTABLE = join(import.meta.dir, '../../dist/flannelette');

/** When memory is read: flanneld's was read so, too. */
const SETTLED_MS = 30_000;

interface Row {
  readonly measure: string;
  readonly runs: number;
  readonly result: string;
  readonly spread: string;
}

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, json: { type: 'boolean' } } });
const quick = values.quick === true;
const runs = quick ? 1 : 5;

interface Convergence {
  readonly wallMs: number;
  /** From the first route to the last, the other objects among them. */
  readonly programmingMs: number;
  readonly cpuMs: number;
}

/** Start of the process to the last peer's route, and the CPU time until then. */
async function converge(options: SeedOptions): Promise<Convergence> {
  using node = new BenchNode(options);
  const routes = node.untilRoutes(options.count * options.families.length);
  const agent = node.startAgent(EXECUTABLE);
  const { firstMs, lastMs } = await routes;
  const { cpuMs } = readProcess(agent.process.pid);
  const want = options.count * options.families.length;
  const { routes: found, forwarding, neighbours } = node.counts();
  await endAgent(agent);
  const whole =
    found === want && (options.backend === 'host-gw' || (forwarding === want && neighbours >= want));
  if (!whole)
    throw new Error(`Not all in the kernel: ${JSON.stringify({ want, found, forwarding, neighbours })}`);
  return { wallMs: lastMs - agent.startedMs, programmingMs: lastMs - firstMs, cpuMs };
}

async function coldStart(): Promise<number> {
  using node = new BenchNode({ count: 3, families: [4], backend: 'vxlan' });
  const agent = node.startAgent(EXECUTABLE);
  while (!existsSync(node.path('subnet.env'))) await Bun.sleep(0.2);
  const wallMs = performance.now() - agent.startedMs;
  await endAgent(agent);
  return wallMs;
}

async function memory(options: SeedOptions): Promise<{ rssKib: number; anonKib: number; peakKib: number }> {
  using node = new BenchNode(options);
  const routes = node.untilRoutes(options.count * options.families.length);
  const agent = node.startAgent(EXECUTABLE);
  await routes;
  await Bun.sleep(quick ? 3_000 : SETTLED_MS);
  const read = readProcess(agent.process.pid);
  await endAgent(agent);
  return read;
}

function startOf(command: string): number {
  const startMs = performance.now();
  const { exitCode } = Bun.spawnSync([EXECUTABLE, command], { stdout: 'ignore' });
  if (exitCode !== 0) throw new Error(`'${command}' ended with ${exitCode}`);
  return performance.now() - startMs;
}

async function repeat<T>(count: number, once: () => T | Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < count; i++) results.push(await once());
  return results;
}

function ms(values: readonly number[]): { result: string; spread: string } {
  const digits = median(values) < 100 ? 1 : 0;
  return { result: `${median(values).toFixed(digits)} ms`, spread: range(values, digits) };
}

function familiesName(families: readonly Family[]): string {
  return families.length === 2 ? 'dual stack' : `IPv${families[0]}`;
}

async function convergeRows(options: SeedOptions): Promise<Row[]> {
  const { count, families, backend } = options;
  const name = `${count} peers, ${backend}, ${familiesName(families)}`;
  const ours: Convergence[] = [];
  const tools: ToolTimes[] = [];
  for (let i = 0; i < runs; i++) {
    ours.push(await converge(options));
    tools.push(await programWithTools(options));
  }
  const row = (measure: string, values: number[]): Row => ({
    measure: `${name}: ${measure}`,
    runs,
    ...ms(values),
  });
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
      `${backend === 'vxlan' ? 'bridge and ip -batch' : 'ip -batch'}, the same objects`,
      tools.map(({ wallMs }) => wallMs),
    ),
    row(
      'CPU of the batch tools',
      tools.map(({ cpuMs }) => cpuMs),
    ),
  ];
}

async function memoryRows(count: number): Promise<Row[]> {
  const memoryRuns = quick ? 1 : 3;
  const read = await repeat(memoryRuns, () => memory({ count, families: [4], backend: 'vxlan' }));
  const row = (measure: string, values: number[]): Row => ({
    measure: `${count} peers, vxlan, IPv4: ${measure}`,
    runs: memoryRuns,
    result: `${median(values).toFixed(1)} MB`,
    spread: range(values, 1),
  });
  const megabytes = (pick: (each: (typeof read)[number]) => number) => read.map((each) => pick(each) / 1024);
  return [
    row(
      'RssAnon',
      megabytes(({ anonKib }) => anonKib),
    ),
    row(
      'VmRSS',
      megabytes(({ rssKib }) => rssKib),
    ),
    row(
      'peak VmRSS',
      megabytes(({ peakKib }) => peakKib),
    ),
  ];
}

async function main(): Promise<void> {
  // A user namespace would do for the agent, but not for the witness: only root may have its large buffer.
  if (process.getuid?.() !== 0) {
    console.error('The bench needs root: its witness listens with a buffer that others may not have');
    process.exit(1);
  }
  const rows: Row[] = [];
  const note = (title: string) => console.error(`${title} ...`);
  note('Start of a command');
  rows.push({ measure: "start of 'version'", runs: 20, ...ms(await repeat(20, () => startOf('version'))) });
  note('Cold start');
  rows.push({
    measure: 'process start to subnet.env',
    runs: runs * 2,
    ...ms(await repeat(runs * 2, coldStart)),
  });
  for (const backend of ['vxlan', 'host-gw'] as const) {
    for (const families of [[4], [4, 6]] as const) {
      for (const count of quick ? [100] : [100, 1_000, 5_000]) {
        note(`${count} peers, ${backend}, ${familiesName(families)}`);
        rows.push(...(await convergeRows({ count, families, backend })));
      }
    }
  }
  for (const count of quick ? [3] : [3, 1_000, 5_000]) {
    note(`Memory with ${count} peers`);
    rows.push(...(await memoryRows(count)));
  }
  console.log(`\n${cpus().length} cores ${cpus()[0]?.model ?? ''}, Linux ${release()}; medians\n`);
  const cells = rows.map(({ measure, runs: count, result, spread }) => [measure, `${count}`, result, spread]);
  console.log(
    formatTable(['measure', 'runs', 'median', 'from - to'], cells, {
      align: ['left', 'right', 'right', 'right'],
    }),
  );
  if (values.json === true) console.log(JSON.stringify(rows));
}

await main();
process.exit(0);
