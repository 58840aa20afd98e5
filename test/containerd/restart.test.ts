import { expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { PingStream } from '../net/ping-stream.ts';
import { run } from '../net/witness.ts';
import { PodNode } from './pod-node.ts';
import { lostPings, PodsLab, prepareForPods } from './pods-lab.ts';

test('pods do not notice that the agent or containerd ends and comes back; what came before is removed after', async () => {
  await using pods = await PodsLab.start();
  const { one, two } = pods;
  const [from, beside, across] = [await one.runPod(), await one.runPod(), await two.runPod()];
  const pairs = [beside, across].flatMap((to) => ([4, 6] as const).map((family) => ({ from, to, family })));
  const streams = pairs.map((pair) => new PingStream(pair));
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await one.agent.stop(signal);
    await one.startAgent().ready();
    await one.stopContainerd(signal);
    await one.startContainerd();
  }
  expect(new Set((await one.cri.pods()).running)).toEqual(new Set([from.id, beside.id]));
  const counts = await Promise.all(streams.map((stream) => stream.stop()));
  expect(counts.map(({ lost }) => lost)).toEqual([0, 0, 0, 0]);
  console.log(`Pings during four restarts: ${counts.map(({ sent }) => sent).join(', ')}, none lost`);
  await using next = await one.runPod();
  expect([from.ips.get(4), beside.ips.get(4)]).not.toContain(next.ips.get(4));
  await Promise.all([from, beside].map((pod) => pod[Symbol.asyncDispose]()));
  expect(
    one.run(['ip', '-o', 'link', 'show', 'type', 'veth', 'master', 'cni0']).trim().split('\n').length,
  ).toBe(1);
});

test('pods come and go while no agent runs', async () => {
  await using pods = await PodsLab.start();
  const { one, two } = pods;
  await using across = await two.runPod();
  await one.agent.stop();
  const pod = await one.runPod();
  expect(await lostPings([{ from: pod, to: across }])).toEqual([]);
  await pod[Symbol.asyncDispose]();
  expect(one.run(['ip', '-o', 'link', 'show', 'type', 'veth', 'master', 'cni0'])).toBe('');
});

test('a pod that is asked for before the agent has a subnet comes when it is tried again', async () => {
  await using pods = await PodsLab.start();
  const { one } = pods;
  await one.agent.stop();
  one.run(['rm', `${one.agent.directory}/subnet.env`]);
  expect(one.runPod()).rejects.toThrow(/the agent has not written .*subnet\.env yet/);
  await one.startAgent().ready();
  await using pod = await one.runPod();
  expect(pod.ips.size).toBe(2);
});

test('after a power cut the addresses of its pods are free, and what is left of them is removed', async () => {
  await using pods = await PodsLab.start();
  const before = pods.one;
  const { space, directory } = before;
  const had = await Promise.all([1, 2, 3].map(() => before.runPod()));
  const ids = new Set(had.map(({ id }) => id));
  for (const pod of had) pod[Symbol.dispose]();
  await before.powerOff();
  // What was in the kernel, and below /run.
  for (const link of ['cni0', 'flannel.1', 'flannel-v6.1']) run(space.netns, ['ip', 'link', 'del', link]);
  run(space.netns, ['nft', 'flush', 'ruleset']);
  rmSync(join(directory, 'subnet.env'));
  await using after = await PodNode.boot(space, pods.lab.site);
  await prepareForPods(after);
  expect(await after.cri.pods()).toEqual({ running: [], ended: expect.any(Array) });
  await using next = await after.runPod();
  expect(had.map(({ ips }) => ips.get(4))).toContain(next.ips.get(4));
  const { ended } = await after.cri.pods();
  expect(new Set(ended)).toEqual(ids);
  for (const id of ended) await after.cri.removePod(id);
  expect(await lostPings([{ from: next, to: pods.outside }])).toEqual([]);
  const files = after.run(['find', '/run/cni', '/var/lib/cni']);
  for (const id of ids) expect(files).not.toContain(id);
  expect(after.run(['ip', '-o', 'link', 'show', 'master', 'cni0']).trim().split('\n').length).toBe(1);
});
