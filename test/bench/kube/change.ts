/**
 * A running agent in a cluster: one Node that changes, and twenty a second that only say that they are well.
 *
 * @module
 */
import { kubeletConditions, nodeObject } from '../../kube/node-objects.ts';
import { endAgent, untilRoutes } from '../bench-node.ts';
import { macOf, subnetOf } from '../leases.ts';
import { readActivity, readProcess } from '../process.ts';
import { type Row, rowOf } from '../row.ts';
import { type Heard, Witness } from '../witness.ts';
import { annotationsOf, type KubeStage, peerNode } from './stage.ts';

/** Nodes that are made and deleted have numbers from here on. */
const FIRST = 12_000;
const PAUSE_MS = 100;
const SETTLED_MS = 3_000;

/** Status updates a second: 5,000 nodes that report every four minutes make as many. */
const UPDATES_A_SECOND = 20;

/** How long, in which the agent has nothing to do but to read. */
export interface StormOptions {
  readonly seconds: number;
}

/** Rows of one Node at a time, from the API's answer to the kernel's word. */
export async function kubeChangeRows(stage: KubeStage, times: number): Promise<Row[]> {
  using node = stage.plugIn();
  const routes = untilRoutes(node, stage.options.count);
  const agent = stage.startAgent(node);
  await routes;
  await Bun.sleep(SETTLED_MS);
  using witness = new Witness(node.netns);
  const values: Record<'created' | 'changed' | 'deleted', number[]> = {
    created: [],
    changed: [],
    deleted: [],
  };
  const measure = async (
    what: keyof typeof values,
    fits: (heard: Heard) => boolean,
    ask: () => Promise<number>,
  ) => {
    const heard = witness.next(fits);
    const answeredMs = await ask();
    values[what].push((await heard).atMs - answeredMs);
    await Bun.sleep(PAUSE_MS);
  };
  for (let i = FIRST; i < FIRST + times; i++) {
    const { name, ...options } = peerNode(i, stage.options.fat);
    const base = subnetOf(i, 4).replace(/\/\d+$/, '');
    const mac = macOf(i + times, 4);
    const isRoute = (each: Heard, gone: boolean) =>
      each.kind === 'route' && each.name === base && each.gone === gone;
    const change = { metadata: { annotations: annotationsOf(i, mac) } };
    await measure(
      'created',
      (each) => isRoute(each, false),
      () => stage.ask('POST', '', nodeObject(name, options)),
    );
    await measure(
      'changed',
      (each) => each.kind === 'fdb' && each.name === mac && !each.gone,
      () => stage.ask('PATCH', `/${name}`, change),
    );
    await measure(
      'deleted',
      (each) => isRoute(each, true),
      () => stage.ask('DELETE', `/${name}`),
    );
  }
  await endAgent(agent);
  return Object.entries(values).map(([what, each]) =>
    rowOf(`${stage.name}: one ${what}, from the API's answer to the kernel`, each, {
      unit: 'ms',
      digits: 2,
      p95: true,
      reach: { median: 1 },
    }),
  );
}

/** Rows of Nodes whose kubelets report, of which nothing follows. */
export async function kubeStormRows(stage: KubeStage, { seconds }: StormOptions): Promise<Row[]> {
  using node = stage.plugIn();
  const routes = untilRoutes(node, stage.options.count);
  const agent = stage.startAgent(node);
  const { pid } = agent.process;
  await routes;
  await Bun.sleep(SETTLED_MS);
  const [before, activity, startMs] = [readProcess(pid), readActivity(pid), performance.now()];
  const updates = seconds * UPDATES_A_SECOND;
  let peakKib = before.anonKib;
  for (let i = 0; i < updates; i++) {
    await stage.ask('PATCH', `/peer-${i % stage.options.count}/status`, {
      status: { conditions: kubeletConditions(new Date()) },
    });
    peakKib = Math.max(peakKib, readProcess(pid).anonKib);
    await Bun.sleep(Math.max(0, startMs + ((i + 1) * 1_000) / UPDATES_A_SECOND - performance.now()));
  }
  const [after, passedS] = [readActivity(pid), (performance.now() - startMs) / 1_000];
  const end = readProcess(pid);
  await endAgent(agent);
  const name = `${stage.name}, ${UPDATES_A_SECOND} status updates a second for ${seconds} s`;
  const mb = (what: string, kib: number) =>
    rowOf(`${name}: ${what}`, [kib / 1024], { unit: 'MB', digits: 1 });
  return [
    rowOf(`${name}: CPU a second`, [(after.cpuNs - activity.cpuNs) / 1e6 / passedS], { unit: 'ms' }),
    mb('growth of RssAnon', end.anonKib - before.anonKib),
    mb('peak RssAnon', peakKib),
  ];
}
