import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { METRICS } from '../../src/metrics/table.ts';
import { promtool } from '../promtool.ts';
import { metricsText, readMetrics } from './agent-metrics.ts';
import { leaseOf, partOf, rewriteAttributes } from './agent-store.ts';
import { eventually, expectTrouble, JSON_LOG, TIMEOUT_MS } from './agent-support.ts';
import { createLab, type LabNode } from './lab.ts';

/** Waits until values are these. */
async function expectValues(node: LabNode, expected: Readonly<Record<string, number>>): Promise<void> {
  await eventually(async () => {
    const values = await readMetrics(node);
    expect(Object.fromEntries(Object.keys(expected).map((key) => [key, values.get(key)]))).toEqual(expected);
  });
}

function repairs(kind: string, cause: string): string {
  return `flannelette_repairs_total{kind="${kind}",cause="${cause}"}`;
}

test(
  '/metrics has every metric of the table with a value, and promtool finds nothing to say',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll(JSON_LOG);
    const node = lab.node(1);
    // A refusal, so that there is an errno to tell: the device holds its VNI under another name.
    node.run('ip', 'link', 'set', 'flannel.1', 'name', 'taken');
    await expectTrouble(node, 'link-conflict', 'EEXIST');
    node.run('ip', 'link', 'delete', 'taken');
    await node.agent.ready();
    await eventually(async () => {
      const text = await metricsText(node);
      const named = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${type} ${name}`);
      expect(named).toEqual(METRICS.map(({ name, type }) => `${type} ${name}`));
      const valued = new Set(
        [...text.matchAll(/^(\w+?)(_bucket|_sum|_count)?[{ ]/gm)].map(([, name]) => name),
      );
      // Only a store that is watched is heard of all the time; `test/kube/agent.test.ts` has it.
      const others = METRICS.filter(({ name }) => name !== 'flannelette_store_heard_timestamp_seconds');
      expect([...valued].sort()).toEqual(others.map(({ name }) => name).sort());
      expect(promtool(['check', 'metrics'], text)).toEqual({ status: 0, said: '' });
      expect(text.length).toBeLessThan(20_000);
    });
  },
  TIMEOUT_MS,
);

test(
  'the metrics of a node that is well are what other witnesses see',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll(JSON_LOG);
    const node = lab.node(1);
    const values = await readMetrics(node);
    const status = await node.agent.status();
    expect(Object.fromEntries(values)).toMatchObject({
      flannelette_ready: 1,
      'flannelette_peers{state="programmed"}': 2,
      'flannelette_peers{state="pending"}': 0,
      'flannelette_peers{state="failed"}': 0,
      flannelette_refused_leases: 0,
      flannelette_held_removals: 0,
      flannelette_netlink_event_losses_total: 0,
      'flannelette_changes_total{result="failed"}': 0,
      'flannelette_store_failures_total{operation="acquire"}': expect.any(Number),
    });
    for (const [series, value] of values) {
      if (series.startsWith('flannelette_problems') || series.startsWith('flannelette_repairs'))
        expect([series, value]).toEqual([series, 0]);
    }
    const heldSince = values.get('flannelette_lease_start_timestamp_seconds') ?? 0;
    expect(heldSince).toBeGreaterThan((values.get('process_start_time_seconds') ?? 0) - 2);
    expect(heldSince).toBeLessThanOrEqual(Date.now() / 1000);
    const expiryMs = (values.get('flannelette_lease_expiry_timestamp_seconds') ?? 0) * 1000;
    expect(new Date(expiryMs).toISOString()).toBe(status?.lease?.expiresAt ?? '');
    const [version] = /flannelette_build_info\{version="[^"]+"\}/.exec(await metricsText(node)) ?? [];
    expect(version).toBe(`flannelette_build_info{version="${status?.version}"}`);
    // Two families of two peers, a neighbour, a forwarding entry and a route each.
    expect(values.get('flannelette_changes_total{result="created"}')).toBeGreaterThan(11);
    expect(values.get('flannelette_pass_duration_seconds_count{scope="full"}')).toBeGreaterThan(0);
    expect(values.get('flannelette_netlink_requests_total')).toBeGreaterThan(20);
    const anonymousKib = /^RssAnon:\s+(\d+) kB$/m.exec(
      readFileSync(`/proc/${node.agent.pid}/status`, 'utf8'),
    )?.[1];
    const told = values.get('flannelette_anonymous_memory_bytes') ?? 0;
    expect(Math.abs(told / 1024 - Number(anonymousKib))).toBeLessThan(2_048);
  },
  TIMEOUT_MS,
);

test(
  'what is damaged and put right is counted by kind and cause',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const node = lab.node(1);
    const { subnet } = partOf(leaseOf(lab, lab.node(2)), 4);
    const before = await readMetrics(node);
    node.run('ip', 'route', 'delete', subnet);
    await expectValues(node, { [repairs('route', 'removed')]: 1 });
    node.run('ip', 'route', 'replace', 'blackhole', subnet, 'proto', 'static');
    await eventually(async () => {
      const after = await readMetrics(node);
      const count = (cause: string) => after.get(repairs('route', cause)) ?? 0;
      expect(count('removed') + count('changed')).toBeGreaterThan(1);
    });
    node.run('ip', 'link', 'set', 'flannel.1', 'mtu', '1299');
    await expectValues(node, { [repairs('link', 'changed')]: 1 });
    node.run('ip', 'route', 'add', '10.42.250.0/24', 'dev', 'flannel.1', 'proto', '102');
    await expectValues(node, { [repairs('route', 'added')]: 1, flannelette_ready: 1 });
    const after = await readMetrics(node);
    for (const series of [
      'flannelette_pass_duration_seconds_count{scope="partial"}',
      'flannelette_pass_duration_seconds_count{scope="full"}',
      'flannelette_changes_total{result="created"}',
      'flannelette_changes_total{result="updated"}',
      'flannelette_changes_total{result="removed"}',
      'flannelette_netlink_requests_total',
    ])
      expect({ series, grew: (after.get(series) ?? 0) > (before.get(series) ?? 0) }).toEqual({
        series,
        grew: true,
      });
  },
  TIMEOUT_MS,
);

test(
  'while a node is not ready, and while it refuses a lease, its metrics say so',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const node = lab.node(1);
    await lab.node(2).stop();
    rewriteAttributes(lab, lab.node(2), () => '{"junk":1}');
    await expectValues(node, {
      flannelette_refused_leases: 1,
      'flannelette_peers{state="programmed"}': 0,
    });
    node.run('ip', 'link', 'set', 'eth0', 'name', 'eth9');
    await expectValues(node, { flannelette_ready: 0, 'flannelette_problems{code="interface-missing"}': 1 });
    node.run('ip', 'link', 'set', 'eth9', 'name', 'eth0');
    await expectValues(node, { flannelette_ready: 1, 'flannelette_problems{code="interface-missing"}': 0 });
  },
  TIMEOUT_MS,
);
