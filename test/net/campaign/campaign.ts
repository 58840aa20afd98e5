/**
 * A campaign: bursts of random damage on a cluster of real agents. After each, every kernel has to be as the leases
 * want it, every pod has to reach every pod, and what is others' has to be as it was.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '../../../src/cli/demo/pods.ts';
import { prefixContains } from '../../../src/model/ip.ts';
import { seededRandom } from '../../fuzz/random.ts';
import { hostGwOverlay, readSubnetEnv, subnetEnvText, vxlanOverlay } from '../agent-expected.ts';
import { type Overlay, readOverlay } from '../agent-overlay.ts';
import { leaseOf } from '../agent-store.ts';
import { eventually, expectPodsTalk, JSON_LOG } from '../agent-support.ts';
import { createLab, type LabNode } from '../lab.ts';
import { isAlien, plantAliens, readAliens } from './aliens.ts';
import { chooseSort, type Field } from './damages.ts';

const NODES = 5;
/** Longer than the longest back-off that a passing condition leads to. */
const QUIET_MS_MAX = 30_000;
const LOG_LINES_SHOWN = 15;

/** What is to be done. */
export interface CampaignOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly backend: 'vxlan' | 'host-gw';
  /** Told of every burst when it is over. */
  readonly onBurst?: (text: string) => void;
}

/** What was done. */
export interface CampaignResult {
  readonly bursts: number;
  readonly damages: number;
  /** The longest time that a burst's repair took, the agents' starts among it. */
  readonly longestMs: number;
}

/** Runs it. Throws, with all that is needed to do it again, when something is not put right. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { seed, durationMs, backend, onBurst = () => {} } = options;
  const random = seededRandom(seed);
  await using lab = await createLab({ nodes: NODES, backend: { Type: backend } });
  for (const node of lab.nodes) plantAliens(node);
  await lab.startAll(JSON_LOG);
  const pods = new Map<LabNode, Pod>();
  const repod = async (node: LabNode) => {
    const before = pods.get(node);
    const subnets = [...(node.agent.subnets()?.subnets.values() ?? [])];
    const fits = [...(before?.ips.values() ?? [])].every((ip) =>
      subnets.some((subnet) => prefixContains(subnet, ip)),
    );
    if (before !== undefined && fits) return;
    if (before !== undefined) node.run('ip', 'link', 'delete', 'pod0');
    before?.[Symbol.dispose]();
    pods.set(node, await node.addPod());
  };
  for (const node of lab.nodes) await repod(node);
  const aliens = new Map(lab.nodes.map((node) => [node, readAliens(node)]));
  const field: Field = { lab, random, isVxlan: backend === 'vxlan', away: new Set(), repod };
  const endMs = performance.now() + durationMs;
  let [bursts, damages, longestMs] = [0, 0, 0];
  while (performance.now() < endMs) {
    const done: string[] = [];
    bursts++;
    try {
      for (let left = 1 + random(6); left > 0; left--) {
        done.push(await chooseSort(random).act(field));
        damages++;
      }
      const startMs = performance.now();
      await judge(field, { pods, aliens });
      longestMs = Math.max(longestMs, performance.now() - startMs);
      onBurst(`${bursts}: ${done.join(' | ')}`);
    } catch (error) {
      throw new Error(report(field, { seed, backend, burst: bursts, done, error }));
    }
  }
  return { bursts, damages, longestMs };
}

interface Known {
  readonly pods: ReadonlyMap<LabNode, Pod>;
  readonly aliens: ReadonlyMap<LabNode, readonly string[]>;
}

async function judge({ lab, isVxlan, away }: Field, { pods, aliens }: Known): Promise<void> {
  const present = lab.nodes.filter((node) => !away.has(node));
  for (const node of present) {
    await eventually(() => {
      const expected = isVxlan ? vxlanOverlay(lab, node) : hostGwOverlay(lab, node);
      assertSame(node, withoutAliens(readOverlay(node)), expected);
      const lease = leaseOf(lab, node);
      const envText = subnetEnvText(lease, isVxlan ? 1430 : 1500);
      if (readSubnetEnv(node) !== envText)
        throw new Error(`subnet.env of ${node.name} is not as it should be`);
      for (const [family, { publicIp }] of lease.parts)
        if (!node.run('ip', `-${family}`, 'address', 'show', 'dev', 'eth0').includes(` ${publicIp}/`))
          throw new Error(`${node.name} tells its peers ${publicIp}, which is not its address`);
    }, QUIET_MS_MAX);
    const now = readAliens(node);
    const before = aliens.get(node) ?? [];
    if (now.join('\n') !== before.join('\n'))
      throw new Error(`What is others' on ${node.name} has changed:\n${differing(before, now)}`);
  }
  await expectPodsTalk(
    [...pods].filter(([node]) => !away.has(node)).map(([, pod]) => pod),
    QUIET_MS_MAX,
  );
}

function withoutAliens(overlay: Overlay): Overlay {
  return { ...overlay, routes: overlay.routes.filter((route) => !isAlien(route)) };
}

function assertSame(node: LabNode, found: Overlay, expected: Overlay): void {
  const [now, wanted] = [linesOf(found), linesOf(expected)];
  if (now.join('\n') === wanted.join('\n')) return;
  throw new Error(`The kernel of ${node.name} is not as the leases want it:\n${differing(wanted, now)}`);
}

function linesOf(overlay: Overlay): string[] {
  return Object.entries(overlay).flatMap(([kind, records]) =>
    [...records].map((record) => `${kind} ${JSON.stringify(record)}`),
  );
}

/** `-` is missing, `+` is too much. */
function differing(wanted: readonly string[], found: readonly string[]): string {
  const [missing, surplus] = [
    wanted.filter((line) => !found.includes(line)),
    found.filter((line) => !wanted.includes(line)),
  ];
  return [...missing.map((line) => `- ${line}`), ...surplus.map((line) => `+ ${line}`)].join('\n');
}

interface Failing {
  readonly seed: number;
  readonly backend: string;
  readonly burst: number;
  readonly done: readonly string[];
  readonly error: unknown;
}

function report({ lab }: Field, { seed, backend, burst, done, error }: Failing): string {
  const text = error instanceof Error ? error.message : String(error);
  const named = lab.nodes.find(({ name }) => text.includes(name)) ?? lab.node(1);
  const log = readFileSync(join(named.agent.directory, 'agent.log'), 'utf8').trimEnd().split('\n');
  return [
    `Seed ${seed}, ${backend}, burst ${burst}:`,
    ...done.map((each) => `  ${each}`),
    text,
    `The end of the log of ${named.name}:`,
    ...log.slice(-LOG_LINES_SHOWN).map((line) => `  ${line}`),
  ].join('\n');
}
