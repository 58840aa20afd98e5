/**
 * Nodes that run pods, and a host beyond them.
 *
 * @module
 */
import { addOutside, type Outside } from '../../src/cli/demo/outside.ts';
import { type PingPair, pingPairs, type Target } from '../../src/cli/demo/pings.ts';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { type NodeSpace, underlayAddress } from '../../src/cli/demo/topology.ts';
import { FAMILIES } from '../../src/model/ip.ts';
import { eventually } from '../net/agent-support.ts';
import { createLab, type Lab } from '../net/lab.ts';
import { PodNode } from './pod-node.ts';

/** Two nodes that are ready for pods: `await using pods = await PodsLab.start()`. */
export class PodsLab implements AsyncDisposable {
  readonly lab: Lab;
  readonly outside: Outside;
  readonly one: PodNode;
  readonly two: PodNode;

  readonly #held: AsyncDisposable;

  private constructor(parts: Pick<PodsLab, 'lab' | 'outside' | 'one' | 'two'>, held: AsyncDisposable) {
    this.lab = parts.lab;
    this.outside = parts.outside;
    this.one = parts.one;
    this.two = parts.two;
    this.#held = held;
  }

  /** Makes everything; both agents know each other. */
  static async start(): Promise<PodsLab> {
    await using stack = new AsyncDisposableStack();
    const lab = stack.use(await createLab({ nodes: 2 }));
    const nodes = lab.nodes.map(({ space }) => space);
    const outside = stack.use(await addOutside({ nodes, bridge: lab.bridge }, FAMILIES));
    const boot = async (number: number) => {
      const node = stack.use(await PodNode.boot(lab.node(number).space, lab.site));
      await prepareForPods(node);
      return node;
    };
    const [one, two] = await Promise.all([boot(1), boot(2)]);
    for (const { agent } of [one, two]) await agent.programmed(1);
    return new PodsLab({ lab, outside, one, two }, stack.move());
  }

  /** Ends all nodes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held[Symbol.asyncDispose]();
  }
}

/** Starts containerd and the agent. There is no plugin and no configuration before the agent has installed them. */
export async function prepareForPods(node: PodNode): Promise<void> {
  await node.startContainerd();
  await node.startAgent().ready();
  await eventually(async () => {
    if (!(await node.cri.condition('NetworkReady'))) throw new Error('containerd sees no network');
  });
}

/** A node as what can ping and be pinged. */
export function host(node: NodeSpace): Pod {
  const ips = new Map(FAMILIES.map((family) => [family, underlayAddress(node.number, family)]));
  return { node, netns: node.netns, ips, [Symbol.dispose]: () => {} };
}

/** Pings each pair in both families, and says which had no answer. */
export async function lostPings(pairs: readonly PingPair<Target>[]): Promise<string[]> {
  const pings = await pingPairs(pairs);
  if (pings.length < pairs.length * FAMILIES.length) throw new Error('Not every pair has both families');
  const lost = pings.filter(({ roundTripMs }) => roundTripMs === undefined);
  return lost.map(({ from, to, family }) => `${from.ips.get(family)} to ${to.ips.get(family)}`);
}
