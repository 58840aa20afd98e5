import { expect, test } from 'bun:test';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { FAMILIES } from '../../src/model/ip.ts';
import { deviceName, hostGwOverlay, vxlanOverlay } from './agent-expected.ts';
import { linkIndex, readOverlay } from './agent-overlay.ts';
import { buryLease, deleteLease, leaseOf, partOf, rewriteAttributes } from './agent-store.ts';
import { eventually, expectOverlay, TIMEOUT_MS } from './agent-support.ts';
import { createLab, type LabNode } from './lab.ts';
import { PingStream } from './ping-stream.ts';

/** Both families in both directions, 10 ms apart. */
function streamsBetween(one: Pod | undefined, two: Pod | undefined): PingStream[] {
  if (one === undefined || two === undefined) throw new Error('no pods');
  return FAMILIES.flatMap((family) => [
    new PingStream({ from: one, to: two, family }),
    new PingStream({ from: two, to: one, family }),
  ]);
}

async function restart(node: LabNode, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  expect(await node.agent.stop(signal)).toBe(signal === 'SIGTERM' ? 0 : signal);
  // The agent is away for a while, as when its package is upgraded.
  await Bun.sleep(100);
  await node.start().ready();
}

test.each([
  { type: 'vxlan', signal: 'SIGKILL' },
  { type: 'vxlan', signal: 'SIGTERM' },
  { type: 'host-gw', signal: 'SIGKILL' },
  { type: 'host-gw', signal: 'SIGTERM' },
] as const)(
  '$type: agents are ended by $signal and started again, and no packet is lost',
  async ({ type, signal }) => {
    await using lab = await createLab({ nodes: 2, backend: { Type: type } });
    await lab.startAll();
    const [one, two] = await lab.addPods();
    const before = lab.nodes.map(readOverlay);
    const names = type === 'vxlan' ? FAMILIES.map((family) => deviceName(family)) : [];
    const indexes = () => lab.nodes.flatMap((node) => names.map((name) => linkIndex(node, name)));
    const indexesBefore = indexes();
    const streams = streamsBetween(one, two);
    for (const node of lab.nodes) await restart(node, signal);
    await lab.settled();
    await Bun.sleep(100);
    const counts = await Promise.all(streams.map((stream) => stream.stop()));
    for (const { sent, lost } of counts) {
      expect(sent).toBeGreaterThan(10);
      expect(lost).toBe(0);
    }
    expect(lab.nodes.map(readOverlay)).toEqual(before);
    expect(indexes()).toEqual(indexesBefore);
  },
  TIMEOUT_MS,
);

test(
  'a node whose device and lease are gone gets its MAC from the state directory, and from the lease without that',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const node = lab.node(1);
    const macs = () => FAMILIES.map((family) => partOf(leaseOf(lab, node), family).mac);
    // Not what would be derived from the node's name.
    await node.stop();
    const given = ['02:00:00:aa:aa:04', '02:00:00:aa:aa:06'];
    const rest = macs();
    rewriteAttributes(lab, node, (text) =>
      text.replace(rest[0] ?? '', given[0] ?? '').replace(rest[1] ?? '', given[1] ?? ''),
    );
    const comeBack = async () => {
      for (const family of FAMILIES) node.run('ip', 'link', 'delete', deviceName(family));
      await node.start().ready();
      await lab.settled();
      expect(macs()).toEqual(given);
      expect(readOverlay(node)).toEqual(vxlanOverlay(lab, node));
    };
    await comeBack();
    await node.stop();
    deleteLease(lab, node);
    await comeBack();
    await node.stop();
    rmSync(join(node.agent.directory, 'state'), { recursive: true });
    await comeBack();
    expect(existsSync(join(node.agent.directory, 'state'))).toBe(true);
    for (const each of lab.nodes) {
      await expectOverlay(each, () => vxlanOverlay(lab, each));
    }
  },
  TIMEOUT_MS,
);

test(
  'the lease is found again when subnet.env, the state directory and the devices are gone',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const node = lab.node(1);
    const { parts } = leaseOf(lab, node);
    await node.kill();
    rmSync(node.agent.directory, { recursive: true });
    for (const family of FAMILIES) node.run('ip', 'link', 'delete', deviceName(family));
    await node.start().ready();
    expect(leaseOf(lab, node).parts).toEqual(parts);
    expect(readOverlay(node)).toEqual(vxlanOverlay(lab, node));
  },
  TIMEOUT_MS,
);

test(
  'the subnet of subnet.env is leased again from an empty store',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    await lab.startAll();
    const node = lab.node(1);
    const { parts } = leaseOf(lab, node);
    await node.stop();
    for (const suffix of ['', '-wal', '-shm', '-changed']) {
      rmSync(join(lab.directory, `leases.db${suffix}`), { force: true });
    }
    await node.start().ready();
    expect(leaseOf(lab, node).parts).toEqual(parts);
  },
  TIMEOUT_MS,
);

test.each([
  { type: 'vxlan', nodes: 3, gone: 1, expected: vxlanOverlay },
  // More than half of all routes: the agent asks for a second list first.
  { type: 'vxlan', nodes: 6, gone: 4, expected: vxlanOverlay },
  { type: 'host-gw', nodes: 6, gone: 4, expected: hostGwOverlay },
])(
  '$type: of $nodes nodes $gone are removed while an agent is away, and from its kernel when it is back',
  async ({ type, nodes, gone, expected }) => {
    await using lab = await createLab({ nodes, backend: { Type: type } });
    await lab.startAll();
    const node = lab.node(1);
    await node.stop();
    for (const each of lab.nodes.slice(1, 1 + gone)) {
      await each.stop();
      buryLease(lab, each);
    }
    await node.start().ready();
    await expectOverlay(node, () => expected(lab, node));
    await eventually(async () => expect((await node.agent.status())?.lastPass?.held).toBe(0));
  },
  TIMEOUT_MS,
);

test(
  'a peer with another MAC leaves no forwarding entry of the old one',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll();
    const [node, peer] = [lab.node(1), lab.node(2)];
    await peer.stop();
    const { mac } = partOf(leaseOf(lab, peer), 4);
    rewriteAttributes(lab, peer, (text) => text.replace(mac, '02:00:00:bb:bb:04'));
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    expect(JSON.stringify(readOverlay(node))).not.toContain(mac);
    expect(JSON.stringify(readOverlay(node))).toContain('02:00:00:bb:bb:04');
  },
  TIMEOUT_MS,
);
