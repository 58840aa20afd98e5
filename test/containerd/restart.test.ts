import { expect, test } from 'bun:test';
import { PingStream } from '../net/ping-stream.ts';
import { lostPings, PodsLab } from './pods-lab.ts';

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
  expect(new Set(await one.cri.pods())).toEqual(new Set([from.id, beside.id]));
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
