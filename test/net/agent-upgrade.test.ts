import { expect, test } from 'bun:test';
import { inNetns } from '../../ffi/netns.ts';
import { FAMILIES } from '../../src/model/ip.ts';
import { deviceName, hostGwOverlay, vxlanOverlay } from './agent-expected.ts';
import { linkIndex, type Overlay, readOverlay } from './agent-overlay.ts';
import { eventually, expectOverlay, expectPodsTalk, TIMEOUT_MS } from './agent-support.ts';
import { DEAD_PEER, leaveHostGw, leaveVxlan } from './flanneld.ts';
import { createLab, type LabNode } from './lab.ts';
import { PingStream } from './ping-stream.ts';

const MARK = '198.51.100.1';

/** Everything that `ip monitor` tells from now on, until it is asked for it. */
async function monitor(node: LabNode): Promise<() => Promise<string[]>> {
  const command = ['ip', 'monitor', 'link', 'address', 'route', 'neigh'];
  const child = inNetns(node.space.netns, () => Bun.spawn(command, { stdin: 'ignore' }));
  let text = '';
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const chunk of child.stdout) text += decoder.decode(chunk, { stream: true });
  })();
  await eventually(() => {
    node.run('ip', 'route', 'replace', 'blackhole', MARK);
    node.run('ip', 'route', 'delete', 'blackhole', MARK);
    expect(text).toContain(MARK);
  });
  return async () => {
    child.kill();
    await reading;
    return text.split('\n').filter((line) => !line.includes(MARK));
  };
}

function indexesOf(node: LabNode): number[] {
  return FAMILIES.map((family) => linkIndex(node, deviceName(family)));
}

test(
  'what flanneld has left is taken over in place: nothing is deleted but the dead, and no packet is lost',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll();
    const pods = await lab.addPods();
    const node = lab.node(1);
    await node.stop();
    leaveVxlan(lab, node, ({ mac }) => mac);
    await expectPodsTalk(pods);
    const before = indexesOf(node);
    const [from, to] = pods;
    if (from === undefined || to === undefined) throw new Error('no pods');
    const streams = FAMILIES.map((family) => new PingStream({ from, to, family }));
    const told = await monitor(node);
    await node.start().ready();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    const counts = await Promise.all(streams.map((stream) => stream.stop()));
    expect(counts.map(({ lost }) => lost)).toEqual([0, 0]);
    expect(indexesOf(node)).toEqual(before);
    const deleted = (await told()).filter((line) => line.startsWith('Deleted'));
    const isDead = (line: string) =>
      Object.values(DEAD_PEER).some(({ base, mac }) => line.includes(base) || line.includes(mac));
    expect(deleted.filter((line) => !isDead(line))).toEqual([]);
    expect(deleted.filter((line) => / via /.test(line)).length).toBe(2);
  },
  TIMEOUT_MS,
);

test(
  'a device of flanneld with another MAC is kept, with the MAC that peers have been told',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const pods = await lab.addPods();
    const node = lab.node(1);
    await node.stop();
    leaveVxlan(lab, node, () => '02:00:00:cc:cc:01');
    const before = indexesOf(node);
    await node.start().ready();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    expect(indexesOf(node)).toEqual(before);
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test(
  "host-gw routes of flanneld become ours where a lease wants the same, and others' are left",
  async () => {
    await using lab = await createLab({ nodes: 3, backend: { Type: 'host-gw' } });
    await lab.startAll();
    const node = lab.node(1);
    await node.stop();
    leaveHostGw(lab, node);
    const told = await monitor(node);
    await node.start().ready();
    const overlay = (): Overlay => {
      const { routes, ...rest } = readOverlay(node);
      return { ...rest, routes: routes.filter(({ protocol }) => protocol !== 'boot') };
    };
    await eventually(() => expect(overlay()).toEqual(hostGwOverlay(lab, node)));
    expect((await told()).filter((line) => line.startsWith('Deleted'))).toEqual([]);
    const boot = readOverlay(node).routes.filter(({ protocol }) => protocol === 'boot');
    expect(boot.map(({ dst }) => dst).sort()).toEqual([DEAD_PEER[4].subnet, DEAD_PEER[6].subnet]);
  },
  TIMEOUT_MS,
);
