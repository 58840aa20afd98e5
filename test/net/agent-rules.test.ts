/** `--ip-masq` as an operator sees it: nft is the witness, and those who flush and delete. */
import { expect, test } from 'bun:test';
import { parsePrefix } from '../../src/model/ip.ts';
import type { Lease } from '../../src/model/lease.ts';
import { planRules } from '../../src/plan/rules.ts';
import { leaseOf as leaseSample, networkOf, VXLAN } from '../sim/samples.ts';
import { readMetrics } from './agent-metrics.ts';
import { leaseOf, partOf } from './agent-store.ts';
import { eventually, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp } from './cleanup-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';
import { listing } from './rules-listing.ts';

const MASQ = { arguments: ['--ip-masq'] };
const OTHERS = 'table inet others { chain c { type filter hook input priority 0; tcp dport 22 accept; }; }';

/** What nft has to print of the node. */
function expected(lab: Lab, node: LabNode, fullyRandom = true): string {
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
    fullyRandom,
    forward: false,
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
    await node.start({ arguments: ['--ip-masq', '--ip-masq-fully-random-disable'] }).ready();
    expect(ruleset(node)).toContain(expected(lab, node, false));
    await node.stop();
    await node.start().ready();
    expect(ruleset(node)).toBe(others);
  },
  TIMEOUT_MS,
);

test(
  'cleanup removes the rules and leaves those of others',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    node.run('nft', `add ${OTHERS}`);
    const others = ruleset(node);
    await node.start(MASQ).ready();
    await node.kill();
    const dry = cleanUp(lab, node, { flags: ['--dry-run'] });
    expect(dry.stdout).toContain('nft delete table ip flannel-ipv4');
    expect(cleanUp(lab, node).status).toBe(0);
    expect(ruleset(node)).toBe(others);
  },
  TIMEOUT_MS,
);
