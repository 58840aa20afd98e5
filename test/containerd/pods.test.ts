import { afterAll, beforeAll, expect, test } from 'bun:test';
import { eventually } from '../net/agent-support.ts';
import { capture, run } from '../net/witness.ts';
import type { CriPod, PodNode } from './pod-node.ts';
import { host, lostPings, PodsLab } from './pods-lab.ts';

const PODS = 50;

let pods: PodsLab;
beforeAll(async () => {
  pods = await PodsLab.start();
});
afterAll(() => pods?.[Symbol.asyncDispose]());

function runPods(node: PodNode, count: number): Promise<CriPod[]> {
  return Promise.all(Array.from({ length: count }, () => node.runPod()));
}

/** All that a pod could leave behind on its node: in the kernel, in files, as processes. */
function stateOf(node: PodNode): string[] {
  const looks = [
    'ip -o link | cut -d: -f2 | cut -d@ -f1',
    'ip -o address',
    'ip route; ip -6 route',
    'ip neigh show dev cni0',
    'bridge fdb show br cni0',
    'nft list ruleset',
    'find /run /var/lib/cni ! -path "/run/containerd/*.log" ! -name ".*"',
    'ps -e -o comm= | grep -vx "sleep\\|ps\\|sh\\|grep\\|sort" | sort',
  ];
  // The last pod gone, the bridge has no carrier; the kernel notices when it likes.
  const look = (command: string) => node.run(['sh', '-c', command]).replaceAll(' linkdown', '').trimEnd();
  return looks.flatMap((command) => [`# ${command}`, ...look(command).split('\n')]);
}

test(`${PODS} pods at once talk with each other, their node, the other node and a host outside; all are removed, and nothing is left`, async () => {
  const { one, two, outside } = pods;
  // The bridge stays once it is there.
  for (const node of [one, two]) await (await node.runPod())[Symbol.asyncDispose]();
  const before = [stateOf(one), stateOf(two)];
  const [here, there] = await Promise.all([runPods(one, PODS), runPods(two, 2)]);
  const all = [...here, ...there];
  for (const family of [4, 6] as const)
    expect(new Set(all.map(({ ips }) => ips.get(family))).size).toBe(PODS + 2);
  const neighbours = here.map((from, i) => ({ from, to: here[(i + 1) % PODS] ?? from }));
  expect(await lostPings(neighbours)).toEqual([]);
  const across = here.flatMap((from) => there.map((to) => ({ from, to })));
  expect(await lostPings([...across, ...across.map(({ from, to }) => ({ from: to, to: from }))])).toEqual([]);
  const nodes = [host(one.space), host(two.space)];
  const both = all.flatMap((pod) =>
    nodes.flatMap((node) => [
      { from: pod, to: node },
      { from: node, to: pod },
    ]),
  );
  expect(await lostPings(both)).toEqual([]);
  expect(await lostPings(all.map((from) => ({ from, to: outside })))).toEqual([]);
  await Promise.all(all.map((pod) => pod[Symbol.asyncDispose]()));
  await eventually(() => expect([stateOf(one), stateOf(two)]).toEqual(before));
});

test('what a pod sends outside comes from its node', async () => {
  const { one, two, outside } = pods;
  await using here = await one.runPod();
  await using there = await two.runPod();
  const filter = ['icmp[icmptype]', '=', 'icmp-echo', 'or', 'ip6[40]', '=', '128'];
  // tcpdump may be ended before it has shown all.
  await eventually(async () => {
    await using tcpdump = await capture(outside.netns, { link: 'eth0', filter });
    expect(await lostPings([here, there].map((from) => ({ from, to: outside })))).toEqual([]);
    const sources = (await tcpdump.stop()).map((line) => /: (\S+) > /.exec(line)?.[1] ?? line);
    expect(new Set(sources)).toEqual(new Set(['192.168.77.1', '192.168.77.2', 'fd77::1', 'fd77::2']));
  });
});

function connect(ip: string, port: number): string[] {
  return ['busybox', 'nc', '-w', '5', ip, `${port}`];
}

test('what runs in a pod serves other pods, its node, and by a service itself', async () => {
  const { one, two } = pods;
  await using server = await one.runPod();
  await using client = await two.runPod();
  const serving = await one.runContainer(server, 'exec nc -ll -p 8080 -e echo served');
  const asking = await two.runContainer(client, 'exec sleep 1000');
  const [ipv4 = '', ipv6 = ''] = [server.ips.get(4), server.ips.get(6)];
  for (const ip of [ipv4, ipv6]) {
    expect(await eventually(() => two.cri.exec(asking, connect(ip, 8080)))).toBe('served\n');
    expect(one.run(connect(ip, 8080))).toBe('served\n');
  }
  expect(one.run(['bridge', '-details', 'link', 'show', 'master', 'cni0'])).toMatch(/veth.*hairpin on/s);
  // As kube-proxy makes a service, which leads the pod to itself.
  one.run([
    'nft',
    `add table ip service; add chain ip service in { type nat hook prerouting priority dstnat; };
    add chain ip service out { type nat hook postrouting priority srcnat - 1; };
    add rule ip service in ip daddr 10.43.0.1 tcp dport 80 dnat to ${ipv4}:8080;
    add rule ip service out ip saddr ${ipv4} ip daddr ${ipv4} masquerade`,
  ]);
  expect(await one.cri.exec(serving, connect('10.43.0.1', 80))).toBe('served\n');
  one.run(['nft', 'delete table ip service']);
});

test('a hostPort leads from outside, from pods, from the node and from the pod itself; nothing of it is left', async () => {
  const { one, two, outside } = pods;
  const before = stateOf(one);
  const served = 'served\n';
  {
    await using server = await one.runPod({
      ports: [{ protocol: 'TCP', container_port: 8080, host_port: 8081 }],
    });
    await using beside = await one.runPod();
    await using across = await two.runPod();
    await one.runContainer(server, 'exec nc -ll -p 8080 -e echo served');
    for (const ip of ['192.168.77.1', 'fd77::1']) {
      const asked = connect(ip, 8081);
      await eventually(() => expect(run(outside.netns, asked)).toBe(served));
      for (const { netns } of [one.space, two.space, server, beside, across])
        expect(run(netns, asked)).toBe(served);
    }
    expect(() => run(outside.netns, connect('192.168.77.1', 8080))).toThrow();
  }
  const folder = ['/run/cni/hostports', '/run/cni/hostports/lock'];
  await eventually(() => expect(stateOf(one).filter((line) => !folder.includes(line))).toEqual(before));
});
