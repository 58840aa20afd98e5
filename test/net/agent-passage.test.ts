/** Chains of other programs that drop what pods send, on whole nodes: real packets, and the remedy as it is told. */
import { expect, test } from 'bun:test';
import { allPairs, pingPairs } from '../../src/cli/demo/pings.ts';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { readMetrics } from './agent-metrics.ts';
import { eventually, expectPodsTalk, JSON_LOG, readLog, reasonsOf, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp } from './cleanup-support.ts';
import { createLab, type LabNode } from './lab.ts';

const FIX = { arguments: [...JSON_LOG.arguments, '--fix-forward'] };

/** What Docker does to a node when it starts. */
const DOCKER = [
  'iptables-nft -N DOCKER-USER',
  'iptables-nft -A FORWARD -j DOCKER-USER',
  'iptables-nft -A FORWARD -i docker0 -j ACCEPT',
  'iptables-nft -P FORWARD DROP',
  'ip6tables-nft -P FORWARD DROP',
];
/** A firewall of its own making, in the family of both. */
const FIREWALL = [
  'nft add table inet filter',
  'nft add chain inet filter forward { type filter hook forward priority 0 ; policy drop ; }',
  'nft add rule inet filter forward ct state established,related accept',
];

function shut(node: LabNode, commands: readonly string[]): void {
  for (const command of commands) node.run(...command.split(' '));
}

async function lost(pods: readonly Pod[]): Promise<number> {
  const pings = await pingPairs(allPairs(pods));
  return pings.filter(({ roundTripMs }) => roundTripMs === undefined).length;
}

/** The commands of the remedies that are told, as a shell takes them. */
async function remediesOf(node: LabNode): Promise<string[]> {
  const { codes, remedies } = await reasonsOf(node);
  return remedies
    .filter((_, i) => codes[i] === 'forward-dropped')
    .map((remedy) => /there: (.*) \(or start/.exec(remedy)?.[1] ?? remedy);
}

test.each([
  ['Docker', DOCKER, 2],
  ['a firewall', FIREWALL, 1],
])(
  '%s stops the packets of pods, which is told; the commands that are told let them through',
  async (_, commands, count) => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    await expectPodsTalk(pods);
    const node = lab.node(1);
    shut(node, commands);
    expect(await lost(pods)).toBe(4);
    await eventually(async () => expect((await remediesOf(node)).length).toBe(count));
    // Some of the pods' packets may pass all the same: it is only told.
    expect((await reasonsOf(node)).status).toBe(200);
    const isTold = () => readLog(node.agent).filter(({ code }) => code === 'forward-dropped').length;
    await eventually(() => expect(isTold()).toBe(1));
    for (const command of await remediesOf(node)) node.run('sh', '-ec', command);
    await expectPodsTalk(pods);
    await eventually(async () => expect(await remediesOf(node)).toEqual([]));
    expect(await remediesOf(lab.node(2))).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  '--fix-forward lets them through, again whenever its rules are lost, and takes these back without it',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const node = lab.node(1);
    const rulesetOf = () =>
      node.run('nft', 'list', 'ruleset').replaceAll(/packets \d+ bytes \d+/g, 'packets 0 bytes 0');
    shut(node, DOCKER);
    const before = rulesetOf();
    await lab.startAll(FIX);
    const pods = await lab.addPods();
    await expectPodsTalk(pods);
    expect((await reasonsOf(node)).codes).toEqual([]);
    const accept = [
      '-A FORWARD -s 10.42.0.0/16 -m comment --comment flannelette -j ACCEPT',
      '-A FORWARD -d 10.42.0.0/16 -m comment --comment flannelette -j ACCEPT',
    ];
    const expectAccepts = () =>
      eventually(() =>
        expect(node.run('iptables-nft', '-S', 'FORWARD').split('\n').slice(1, 3)).toEqual(accept),
      );
    await expectAccepts();
    const damages = [
      'iptables-nft -F FORWARD',
      'iptables-nft -D FORWARD 1',
      'nft flush ruleset',
      'iptables-nft -P FORWARD DROP',
      'iptables-nft -I FORWARD -j DROP',
    ];
    const times: string[] = [];
    for (const damage of damages) {
      const startMs = performance.now();
      node.run(...damage.split(' '));
      if (damage === 'nft flush ruleset') continue;
      await expectAccepts();
      times.push(`  ${damage}: ${Math.round(performance.now() - startMs)} ms with two starts of iptables`);
    }
    console.log(`Repair times in chains of others:\n${times.join('\n')}`);
    shut(node, FIREWALL);
    await expectPodsTalk(pods);
    expect(node.run('nft', 'list', 'chain', 'inet', 'filter', 'forward')).toContain('flannelette');
    const repairs = (await readMetrics(node)).get(
      'flannelette_repairs_total{kind="passage",cause="changed"}',
    );
    expect(repairs ?? 0).toBeGreaterThanOrEqual(4);
    expect(readLog(node.agent).map(({ object }) => object)).toContain(
      'passage of 10.42.0.0/16, fd42::/48 through chains of others (ip filter FORWARD had no ip saddr 10.42.0.0/16 accept)',
    );
    node.run('nft', 'flush', 'ruleset');
    shut(node, DOCKER);
    await expectAccepts();
    await node.stop();
    await expectAccepts();
    await node.start({ arguments: ['--iptables-forward-rules=false', ...JSON_LOG.arguments] }).ready();
    await eventually(() => expect(rulesetOf()).toBe(before));
    expect((await remediesOf(node)).length).toBe(2);
  },
  TIMEOUT_MS,
);

test(
  'cleanup takes its rules out of chains of others, by the command that a dry run shows, and nothing else',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    shut(node, [...DOCKER, ...FIREWALL]);
    const before = node.run('nft', 'list', 'ruleset');
    await node.start(FIX).ready();
    await node.kill();
    expect(node.run('nft', 'list', 'ruleset')).toContain('comment "flannelette"');
    const dry = cleanUp(lab, node, { flags: ['--dry-run'] });
    const [command = ''] = /^nft 'delete rule .*$/m.exec(dry.stdout) ?? [];
    node.run('sh', '-ec', command);
    expect(node.run('nft', 'list', 'ruleset')).not.toContain('comment "flannelette"');
    await node.start(FIX).ready();
    await node.kill();
    expect(cleanUp(lab, node).status).toBe(0);
    expect(node.run('nft', 'list', 'ruleset')).toBe(before);
  },
  TIMEOUT_MS,
);
