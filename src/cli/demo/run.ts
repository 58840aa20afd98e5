/**
 * The inner half of the demo: lays out the network, starts the agents, pings, breaks things.
 *
 * @module
 */
import { availableParallelism } from 'node:os';
import type { Family } from '../../model/ip.ts';
import { Agent, type Site } from './agents.ts';
import type { DemoOptions } from './arguments.ts';
import { type Damage, inflict, planDamages } from './damage.ts';
import { DemoFailure } from './failure.ts';
import { addOutside, type Outside } from './outside.ts';
import { allPairs, type Ping, type PingPair, pairsOf, pingPairs, type Target } from './pings.ts';
import { addPod, type Pod } from './pods.ts';
import type { Outcome, Progress } from './progress.ts';
import {
  complete,
  type Findings,
  median,
  milliseconds,
  type NodeFinding,
  type PingCount,
  type RepairFinding,
} from './report.ts';
import { startStore } from './store.ts';
import type { NodeSubnets } from './subnet-env.ts';
import { buildUnderlay, type NodeSpace, type UnderlayNetwork } from './topology.ts';

/** How often a pod pings the next to find out how long that takes. */
const ROUND_TRIPS = 10;

/** A node with its running agent and its pod. */
export interface Member {
  readonly agent: Agent;
  readonly readyMs: number;
  readonly subnets: NodeSubnets;
  readonly pod: Pod;
}

/** A network that has been shown, and still runs. */
export interface ShownNetwork {
  readonly members: readonly Member[];
  readonly findings: Findings;
}

/**
 * Does everything that the demo shows, step by step. Nothing is taken down: it all ends with the process.
 *
 * @throws DemoFailure if there is nothing to show
 */
export async function showNetwork(
  options: DemoOptions,
  { site, progress }: { site: Site; progress: Progress },
): Promise<ShownNetwork> {
  const { families } = options;
  const { underlay, outside } = await progress.step(
    'Making the nodes',
    () => layOut(options),
    () => well(`Made ${count(options.nodes, 'node')}, each a network namespace, and a host beyond them`),
  );
  const { nodes } = underlay;
  const place = await openStore(options, { site, underlay, progress });
  const started = await startAgents(nodes, { site: place, progress });
  const members = await progress.step(
    'Giving every node a pod',
    () => Promise.all(started.map((each) => addMember(each, site.command))),
    () => well('Gave every node a pod, made by the executable as its CNI plugin'),
  );
  const pods = members.map(({ pod }) => pod);
  const pings = await pingAll(pods, { families, progress });
  const outsidePings = await pingOutside(pods, { outside, progress });
  const roundTrips = await measureRoundTrips(pods);
  const repairs: RepairFinding[] = [];
  for (const plan of planDamages(nodes, options)) {
    const damage = plan();
    if (damage !== undefined) repairs.push(await breakAndWatch(damage, { pods, progress }));
  }
  const findings: Findings = {
    families,
    nodes: members.map((member) => nodeFinding(member, roundTrips)),
    pings: countByFamily(pings, families),
    outside: countByFamily(outsidePings, families),
    repairs,
  };
  return { members, findings };
}

async function layOut(options: DemoOptions): Promise<{ underlay: UnderlayNetwork; outside: Outside }> {
  const underlay = await buildUnderlay(options);
  return { underlay, outside: await addOutside(underlay, options.families) };
}

/** A file needs no step of its own. */
async function openStore(
  options: DemoOptions,
  { progress, ...parts }: { site: Site; underlay: UnderlayNetwork; progress: Progress },
): Promise<Site> {
  if (options.store === 'sqlite') return parts.site;
  const [server, has] =
    options.store === 'kube'
      ? ['kube-apiserver', 'the nodes, and in their annotations the leases']
      : [options.store, "the network's configuration and the leases"];
  return progress.step(
    `Starting ${server}`,
    () => startStore(options, parts),
    () => well(`Started ${server}, which has ${has}`),
  );
}

type Started = Omit<Member, 'pod'>;

async function addMember(started: Started, command: readonly string[]): Promise<Member> {
  return { ...started, pod: await addPod({ ...started, command }) };
}

/** Starts as many agents at once as there are cores, so that the time of each is its own. */
async function startAgents(
  nodes: readonly NodeSpace[],
  { site, progress }: { site: Site; progress: Progress },
): Promise<Started[]> {
  const start = async (note: (text: string) => void) => {
    const started: Started[] = [];
    const queue = [...nodes];
    const work = async () => {
      for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
        const agent = new Agent(node, site, { arguments: ['--ip-masq'] });
        const readyMs = await agent.ready();
        const subnets = agent.subnets();
        if (subnets === undefined) throw new DemoFailure(`${node.name} is ready but wrote no subnet.env`);
        started.push({ agent, readyMs, subnets });
        note(`${started.length} of ${nodes.length} ready`);
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, work));
    note('waiting until each knows all others');
    for (const { agent } of started) await agent.programmed(nodes.length - 1);
    return started.toSorted((a, b) => a.agent.node.number - b.agent.node.number);
  };
  return progress.step(`Starting ${count(nodes.length, 'agent')}`, start, (started) => {
    const middle = milliseconds(median(started.map(({ readyMs }) => readyMs)), 0);
    return well(`Started ${count(nodes.length, 'agent')}; ready ${middle} after the start (median)`);
  });
}

async function pingAll(
  pods: readonly Pod[],
  { families, progress }: { families: readonly Family[]; progress: Progress },
): Promise<Ping[]> {
  const pairs = allPairs(pods);
  if (pairs.length === 0) return [];
  const total = pairs.length * families.length;
  const work = (note: (text: string) => void) => {
    let done = 0;
    return pingPairs(pairs, () => note(`${++done} of ${total}`));
  };
  return progress.step('Pinging every pod from every pod', work, (pings) =>
    answered('Pinged every pod from every pod', countByFamily(pings, families)),
  );
}

/** That host knows no pod: what it answers came to it in the name of a node. */
function pingOutside(
  pods: readonly Pod[],
  { outside, progress }: { outside: Outside; progress: Progress },
): Promise<Ping<Outside>[]> {
  const families = [...outside.ips.keys()];
  return progress.step(
    'Pinging the host beyond the nodes from every pod',
    () => pingPairs(pods.map((from) => ({ from, to: outside }))),
    (pings) =>
      answered(
        'Pinged the host beyond the nodes from every pod, masqueraded',
        countByFamily(pings, families),
      ),
  );
}

function answered(what: string, counts: ReadonlyMap<Family, PingCount>): Outcome {
  const words = [...counts].map(([family, { ok, sent }]) => `IPv${family} ${ok} of ${sent}`);
  return { ok: [...counts.values()].every(complete), text: `${what}: ${words.join(', ')}` };
}

async function breakAndWatch(
  damage: Damage,
  { pods, progress }: { pods: readonly Pod[]; progress: Progress },
): Promise<RepairFinding> {
  const { node, what } = damage;
  const sentence = `${what.charAt(0).toUpperCase()}${what.slice(1)} on ${node.name}`;
  const own = pods.filter((pod) => pod.node === node);
  const pairs = own.flatMap((pod): PingPair[] => pairsOf(pod, pods));
  const work = async (): Promise<RepairFinding> => {
    const { ms } = await inflict(damage);
    const pings = await pingPairs(pairs);
    return { node: node.name, what, ms, pings: countPings(pings) };
  };
  return progress.step(sentence, work, ({ ms, pings }) => {
    const repaired = ms === undefined ? 'not repaired' : `repaired after ${milliseconds(ms, 1)}`;
    const talk = complete(pings) ? 'pods talk again' : `only ${pings.ok} of ${pings.sent} pings came back`;
    const text = `${sentence}: ${repaired}${pings.sent === 0 ? '' : `, ${talk}`}`;
    return { ok: ms !== undefined && complete(pings), text };
  });
}

/** By pod, from pings one after the other to the next pod: nothing waits for addresses to be resolved. */
async function measureRoundTrips(pods: readonly Pod[]): Promise<ReadonlyMap<Pod, number | undefined>> {
  const medians = new Map<Pod, number | undefined>();
  for (const [i, from] of pods.entries()) {
    const to = pods[(i + 1) % pods.length];
    if (to === undefined || to === from) continue;
    const pings: Ping[] = [];
    for (let round = 0; round < ROUND_TRIPS; round++) pings.push(...(await pingPairs([{ from, to }])));
    medians.set(from, median(pings.flatMap(({ roundTripMs }) => roundTripMs ?? [])));
  }
  return medians;
}

function nodeFinding(
  { agent, readyMs, subnets, pod }: Member,
  roundTrips: ReadonlyMap<Pod, number | undefined>,
): NodeFinding {
  return {
    name: agent.node.name,
    subnets: subnets.subnets,
    readyMs,
    memory: agent.memory(),
    roundTripMs: roundTrips.get(pod),
  };
}

function countByFamily(pings: readonly Ping<Target>[], families: readonly Family[]): Map<Family, PingCount> {
  return new Map(
    families.map((family) => [family, countPings(pings.filter((ping) => ping.family === family))]),
  );
}

function countPings(pings: readonly Ping<Target>[]): PingCount {
  return { sent: pings.length, ok: pings.filter(({ roundTripMs }) => roundTripMs !== undefined).length };
}

function well(text: string): Outcome {
  return { ok: true, text };
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
