/**
 * The server is away for a while: how soon after its return the kernel has what happened meanwhile.
 *
 * @module
 */
import { nodeObject } from '../../kube/node-objects.ts';
import { endAgent, untilRoutes } from '../bench-node.ts';
import { subnetOf } from '../leases.ts';
import { type Row, rowOf } from '../row.ts';
import { Witness } from '../witness.ts';
import { type KubeStage, own, peerNode } from './stage.ts';

const SETTLED_MS = 3_000;
const FIRST = 14_000;
/** A connection that is half open may take that long to be found out. */
const WAIT_MS_MAX = 180_000;

/** How it is away. */
const WAYS = ['stopped and started', 'refusing connections', 'dropping packets'] as const;
type Way = (typeof WAYS)[number];

const INPUT = 'add table ip away; add chain ip away in { type filter hook input priority 0; }';
const REFUSED = `${INPUT}; add rule ip away in iifname cable meta l4proto tcp reject with tcp reset`;
const DROPPED = [
  `${INPUT}; add rule ip away in iifname cable drop`,
  'add chain ip away out { type filter hook output priority 0; }',
  'add rule ip away out oifname cable drop',
].join('; ');

/** How long, and how often each way. */
export interface AwayOptions {
  readonly seconds: number;
  readonly runs: number;
}

/** Rows for each way to be away. */
export async function kubeAwayRows(stage: KubeStage, { seconds, runs }: AwayOptions): Promise<Row[]> {
  using node = stage.plugIn();
  const routes = untilRoutes(node, stage.options.count);
  const agent = stage.startAgent(node);
  await routes;
  const rows: Row[] = [];
  let next = FIRST;
  for (const way of WAYS) {
    const values: number[] = [];
    for (let i = 0; i < runs; i++) {
      await Bun.sleep(SETTLED_MS);
      using witness = new Witness(node.netns);
      values.push(await convergence({ stage, witness, way, seconds, number: next++ }));
    }
    rows.push(
      rowOf(`${stage.name}: API ${way} after ${seconds} s, back to converged`, values, {
        unit: 'ms',
        reach: { median: 2_000 },
      }),
    );
  }
  await endAgent(agent);
  return rows;
}

interface Absence {
  readonly stage: KubeStage;
  readonly witness: Witness;
  readonly way: Way;
  readonly seconds: number;
  /** Of a peer of this absence alone. */
  readonly number: number;
}

/** From the server's return, which is when it is ready, to what happened in its absence. */
async function convergence({ stage, witness, way, seconds, number }: Absence): Promise<number> {
  const { name, ...options } = peerNode(number, stage.options.fat);
  const base = subnetOf(number, 4).replace(/\/\d+$/, '');
  const route = (gone: boolean) =>
    witness.next((each) => each.kind === 'route' && each.name === base && each.gone === gone, WAIT_MS_MAX);
  const create = () => stage.ask('POST', '', nodeObject(name, options));
  if (way === 'stopped and started') {
    // Nobody can tell a server that is away; but etcd can lose a Node, of which it hears when it is back.
    const made = route(false);
    await create();
    await made;
    await stage.cluster.stopServer();
    await Bun.sleep(seconds * 1_000);
    await forget(stage.cluster.plane.etcdUrl, name);
    const heard = route(true);
    await stage.cluster.startServer();
    const backMs = performance.now();
    return (await heard).atMs - backMs;
  }
  own('nft', way === 'refusing connections' ? REFUSED : DROPPED);
  await Bun.sleep(seconds * 500);
  await create();
  await Bun.sleep(seconds * 500);
  const heard = route(false);
  own('nft', 'delete table ip away');
  const backMs = performance.now();
  return (await heard).atMs - backMs;
}

async function forget(etcdUrl: string, node: string): Promise<void> {
  const key = Buffer.from(`/registry/minions/${node}`).toString('base64');
  const answer = await fetch(`${etcdUrl}/v3/kv/deleterange`, {
    method: 'POST',
    body: JSON.stringify({ key }),
  });
  const text = await answer.text();
  if (!text.includes('"deleted":"1"')) throw new Error(`etcd did not forget ${node}: ${text}`);
}
