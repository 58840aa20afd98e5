/** Traffic rules as an operator sees them: nft is the witness, and those who flush and delete. */
import { expect, test } from 'bun:test';
import { parsePrefix } from '../../src/model/ip.ts';
import type { Lease } from '../../src/model/lease.ts';
import { planRules, type RuleInputs } from '../../src/plan/rules.ts';
import { leaseOf as leaseSample, networkOf, VXLAN } from '../sim/samples.ts';
import { readMetrics } from './agent-metrics.ts';
import { leaseOf, partOf } from './agent-store.ts';
import { eventually, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp } from './cleanup-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';
import { listing } from './rules-listing.ts';

const MASQ = { arguments: ['--ip-masq'] };
const NO_FORWARD = '--iptables-forward-rules=false';
const OTHERS = 'table inet others { chain c { type filter hook input priority 0; tcp dport 22 accept; }; }';

/** What nft has to print of the node. */
function expected(lab: Lab, node: LabNode, changes: Partial<RuleInputs> = {}): string {
  const record = leaseOf(lab, node);
  const subnet = (family: 4 | 6) => parsePrefix(partOf(record, family).subnet);
  const sample = leaseSample(1);
  const [ipv4, ipv6] = [subnet(4), subnet(6)];
  if (!ipv4 || !ipv6 || !sample.ipv4 || !sample.ipv6) throw new Error('No subnets');
  const own: Lease = {
    ...sample,
    ipv4: { ...sample.ipv4, subnet: ipv4 },
    ipv6: { ...sample.ipv6, subnet: ipv6 },
  };
  const tables = planRules({
    network: networkOf(VXLAN),
    own,
    masquerade: true,
    fullyRandom: true,
    forward: true,
    ...changes,
  });
  return tables.map(listing).join('');
}

function ruleset(node: LabNode): string {
  return node.run('nft', 'list', 'ruleset');
}

test(
  'rules are made, come back whatever is done to them, and go with the flag; other tables stay',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    node.run('nft', `add ${OTHERS}`);
    const others = ruleset(node);
    await node.start(MASQ).ready();
    const rules = expected(lab, node);
    expect(ruleset(node)).toBe(others + rules);
    const damages = [
      'delete table ip flannel-ipv4',
      'delete chain ip6 flannel-ipv6 postrtg',
      'flush chain ip flannel-ipv4 postrtg',
      'insert rule ip flannel-ipv4 postrtg counter drop',
      'flush ruleset',
    ];
    const times: string[] = [];
    for (const damage of damages) {
      const startMs = performance.now();
      node.run('nft', damage);
      const sorted = (text: string) => text.split(/^(?=table)/m).sort();
      const want = sorted(damage === 'flush ruleset' ? rules : others + rules);
      await eventually(() => expect(sorted(ruleset(node))).toEqual(want));
      times.push(`  ${damage}: ${Math.round(performance.now() - startMs)} ms with two starts of nft`);
    }
    console.log(`Repair times of traffic rules:\n${times.join('\n')}`);
    const metrics = await readMetrics(node);
    expect(metrics.get('flannelette_repairs_total{kind="table",cause="removed"}')).toBe(3);
    expect(metrics.get('flannelette_repairs_total{kind="table",cause="changed"}')).toBe(3);
    node.run('nft', `add ${OTHERS}`);
    await node.stop();
    expect(ruleset(node)).toContain('masquerade fully-random');
    await node.start({ arguments: ['--ip-masq', '--ip-masq-fully-random-disable', NO_FORWARD] }).ready();
    expect(ruleset(node)).toContain(expected(lab, node, { fullyRandom: false, forward: false }));
    await node.stop();
    await node.start().ready();
    expect(ruleset(node)).toContain(expected(lab, node, { masquerade: false }));
    await node.stop();
    await node.start({ arguments: [NO_FORWARD] }).ready();
    expect(ruleset(node)).toBe(others);
  },
  TIMEOUT_MS,
);

test.each([
  ['masquerade and forward rules', MASQ],
  ['forward rules alone', {}],
])(
  'cleanup removes %s and leaves those of others',
  async (_, options) => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    node.run('nft', `add ${OTHERS}`);
    const others = ruleset(node);
    await node.start(options).ready();
    await node.kill();
    const dry = cleanUp(lab, node, { flags: ['--dry-run'] });
    expect(dry.stdout).toContain('nft delete table ip flannel-ipv4');
    expect(cleanUp(lab, node).status).toBe(0);
    expect(ruleset(node)).toBe(others);
  },
  TIMEOUT_MS,
);

test(
  'a foreign table of the name is told and left alone, and the node is ready; it is taken when it goes',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    node.run('nft', 'add table ip flannel-ipv4 { chain input { type filter hook input priority 0; }; }');
    const [before = ''] = ruleset(node).split(/^(?=table)/m);
    await node.start().ready();
    expect(ruleset(node)).toContain(before);
    const status = await node.agent.status();
    expect({ ready: status?.ready, codes: status?.problems.map(({ code }) => code) }).toEqual({
      ready: true,
      codes: ['link-conflict'],
    });
    expect(status?.problems[0]?.remedy).toContain('ip flannel-ipv4');
    node.run('nft', 'delete table ip flannel-ipv4');
    for (const table of expected(lab, node, { masquerade: false }).split(/^(?=table)/m))
      await eventually(() => expect(ruleset(node)).toContain(table));
    await eventually(async () => expect((await node.agent.status())?.problems).toEqual([]));
  },
  TIMEOUT_MS,
);

test(
  'without rules nobody listens to those of others',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    await node.start({ arguments: [NO_FORWARD] }).ready();
    // Columns: socket, protocol (12: netfilter), port, groups.
    const netfilter = () => node.run('cat', '/proc/net/netlink').match(/^\S+ +12 +\d+ +(?!0{8})\S+/gm);
    expect(netfilter()).toBeNull();
    await node.stop();
    await node.start().ready();
    expect(netfilter()?.length).toBe(1);
  },
  TIMEOUT_MS,
);
