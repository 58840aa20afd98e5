/**
 * Starts of an agent: with all that the server has, without the server from what is remembered, and what both leave
 * in memory.
 *
 * @module
 */
import { readFileSync, rmSync } from 'node:fs';
import { run } from '../../net/witness.ts';
import { type BenchNode, endAgent, untilRoutes } from '../bench-node.ts';
import { MemoryGroup, type ProcessUse, readProcess } from '../process.ts';
import { type Row, rowOf } from '../row.ts';
import { type KubeStage, untilFile } from './stage.ts';

/** The agent gives memory back a second after its work. */
const SETTLED_MS = 10_000;
const QUICK_MS = 2_000;
const SAMPLE_MS = 10;

/** What is meant to be reached in some clusters. */
interface Goals {
  readonly subnetMs?: number;
  readonly restoredMs?: number;
  readonly wallMs?: number;
  readonly anonMb?: number;
}

const GOALS: Readonly<Record<string, Goals>> = {
  '3 fat': { subnetMs: 150, restoredMs: 60 },
  '1000 thin': { wallMs: 500, anonMb: 10 },
  '1000 fat': { wallMs: 500, anonMb: 10 },
  '5000 thin': { wallMs: 1_500, anonMb: 16 },
  '5000 fat': { wallMs: 2_500, anonMb: 16 },
};
const PEAK_MB_MAX = 64;

function goalsOf({ options: { count, fat } }: KubeStage): Goals {
  return GOALS[`${count} ${fat ? 'fat' : 'thin'}`] ?? {};
}

interface StartRun {
  readonly subnetMs: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakAnonKib: number;
  readonly rest: ProcessUse;
  readonly group: { readonly nowKib: number; readonly peakKib: number } | undefined;
}

/** Rows of starts with nothing remembered. */
export async function kubeStartRows(
  stage: KubeStage,
  { runs, quick }: { runs: number; quick: boolean },
): Promise<Row[]> {
  const all: StartRun[] = [];
  for (let i = 0; i < runs; i++) all.push(await start(stage, quick ? QUICK_MS : SETTLED_MS));
  const goals = goalsOf(stage);
  const row = (what: string, values: readonly number[], unit: string, reach?: number) =>
    rowOf(`${stage.name}: ${what}`, values, {
      unit,
      ...(unit === 'MB' ? { digits: 1 } : {}),
      ...(reach === undefined ? {} : { reach: { median: reach } }),
    });
  const ms = (what: string, pick: (each: StartRun) => number, reach?: number) =>
    row(what, all.map(pick), 'ms', reach);
  const mb = (what: string, pick: (each: StartRun) => number | undefined, reach?: number) =>
    row(
      what,
      all.flatMap((each) => pick(each) ?? []).map((kib) => kib / 1024),
      'MB',
      reach,
    );
  return [
    ms('start to subnet.env, nothing remembered', ({ subnetMs }) => subnetMs, goals.subnetMs),
    ms('start to all in the kernel', ({ wallMs }) => wallMs, goals.wallMs),
    ms('CPU until then', ({ cpuMs }) => cpuMs),
    mb('RssAnon, settled', ({ rest }) => rest.anonKib, goals.anonMb),
    mb('VmRSS, settled', ({ rest }) => rest.rssKib),
    mb('peak RssAnon', ({ peakAnonKib }) => peakAnonKib),
    mb('peak VmRSS', ({ rest }) => rest.peakKib, PEAK_MB_MAX),
    ...(all.some(({ group }) => group !== undefined)
      ? [mb('cgroup peak', ({ group }) => group?.peakKib), mb('cgroup charge', ({ group }) => group?.nowKib)]
      : []),
  ];
}

async function start(stage: KubeStage, settledMs: number): Promise<StartRun> {
  const { count } = stage.options;
  using stack = new DisposableStack();
  const group = MemoryGroup.make();
  if (group !== undefined) stack.use(group);
  const node = stack.use(stage.plugIn());
  const routes = untilRoutes(node, count);
  const subnet = untilFile(node.path('subnet.env'));
  const agent = stage.startAgent(node, group?.wrapper);
  const { pid } = agent.process;
  const peak = samplePeak(pid);
  const subnetMs = (await subnet) - agent.startedMs;
  const { lastMs } = await routes;
  const { cpuMs } = readProcess(pid);
  checkWhole(node, count);
  await Bun.sleep(settledMs);
  const reading = {
    subnetMs,
    wallMs: lastMs - agent.startedMs,
    cpuMs,
    peakAnonKib: peak.end(),
    rest: readProcess(pid),
    group: group?.read(),
  };
  await endAgent(agent);
  return reading;
}

/** The largest RssAnon that is seen, for which the kernel keeps no mark. */
function samplePeak(pid: number): { end(): number } {
  let anonKib = 0;
  const timer = setInterval(() => {
    anonKib = Math.max(anonKib, readProcess(pid).anonKib);
  }, SAMPLE_MS);
  return {
    end: () => {
      clearInterval(timer);
      return anonKib;
    },
  };
}

function checkWhole(node: BenchNode, want: number): void {
  const { routes, forwarding, neighbours } = node.counts();
  if (routes === want && forwarding === want && neighbours >= want) return;
  throw new Error(`Not all in the kernel: ${JSON.stringify({ want, routes, forwarding, neighbours })}`);
}

/** Rows of starts after a reboot while the server is away; it is back afterwards. */
export async function kubeRestoredRows(stage: KubeStage, runs: number): Promise<Row[]> {
  const { count } = stage.options;
  using node = stage.plugIn();
  await remember(stage, node);
  await stage.cluster.stopServer('SIGKILL');
  const [file, all]: [number[], number[]] = [[], []];
  for (let i = 0; i < runs; i++) {
    forgetNetwork(node);
    const routes = untilRoutes(node, count);
    const subnet = untilFile(node.path('subnet.env'));
    const agent = stage.startAgent(node);
    file.push((await subnet) - agent.startedMs);
    all.push((await routes).lastMs - agent.startedMs);
    await endAgent(agent);
  }
  await stage.cluster.startServer();
  const { restoredMs } = goalsOf(stage);
  const name = `${stage.name}, API away: boot`;
  return [
    rowOf(`${name} to subnet.env`, file, {
      unit: 'ms',
      ...(restoredMs === undefined ? {} : { reach: { median: restoredMs } }),
    }),
    rowOf(`${name} to all in the kernel`, all, { unit: 'ms' }),
  ];
}

/** Lets an agent see everything and write it down. */
async function remember(stage: KubeStage, node: BenchNode): Promise<void> {
  const { count } = stage.options;
  const routes = untilRoutes(node, count);
  const agent = stage.startAgent(node);
  await routes;
  const isWhole = () => readFileSync(node.path('state/leases.tsv'), 'utf8').split('\n').length > count + 1;
  await untilFile(node.path('state/leases.tsv'));
  while (!isWhole()) await Bun.sleep(50);
  await endAgent(agent);
}

/** What a reboot takes away. */
function forgetNetwork(node: BenchNode): void {
  run(node.netns, ['ip', 'link', 'delete', 'flannel.1']);
  rmSync(node.path('subnet.env'));
}
