/** hostPorts by packets, beside the reference's `portmap`. @module */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { Netns } from '../../ffi/netns.ts';
import type { Ip } from '../../src/model/ip.ts';
import { eventually } from './agent-support.ts';
import { DNS, MAPPINGS, ONE_ADDRESS, PortLab, TABLE, untilSettled, WEB } from './cni-portmap-lab.ts';
import { SctpSocket } from './sctp.ts';
import { run } from './witness.ts';

let lab: PortLab;

beforeEach(() => {
  lab = new PortLab();
});

afterEach(() => lab[Symbol.dispose]());

/** What is asked from where, of a pod that has {@link MAPPINGS}. */
async function matrix(
  reference: boolean,
): Promise<Record<'outside' | 'node' | 'other' | 'itself', Record<string, string | null>>> {
  const { node, outside } = lab.newNode();
  const [pod, other] = [lab.newSpace(), lab.newSpace()];
  expect(lab.add({ node, pod, id: 'pod-1', mappings: MAPPINGS, reference }).status).toBe(0);
  expect(lab.add({ node, pod: other, id: 'pod-2', reference }).status).toBe(0);
  await lab.serve(pod, [80, 53]);
  await untilSettled([node, outside]);
  const addresses = ['192.0.2.1', '192.0.2.9', '2001:db8::1', '10.42.1.1', 'fd00:42:1::1'];
  const questions = (all: readonly string[]) =>
    all.flatMap((address) => [
      `tcp ${address} 8080`,
      `udp ${address} 5353`,
      `tcp ${address} 9090`,
      `tcp ${address} 9091`,
      `udp ${address} 8080`,
    ]);
  run(outside, ['ip', 'route', 'add', '10.42.1.0/24', 'via', '192.0.2.1']);
  run(outside, ['ip', 'route', 'add', 'fd00:42:1::/64', 'via', '2001:db8::1']);
  const direct = ['tcp 10.42.1.2 80', 'tcp fd00:42:1::2 80'];
  return {
    outside: await lab.ask(outside, [...questions(addresses), ...direct]),
    node: await lab.ask(node, [...questions([...addresses, '127.0.0.1', '::1']), ...direct]),
    other: await lab.ask(other, [...questions(addresses), ...direct]),
    itself: await lab.ask(pod, [...questions(addresses), ...direct]),
  };
}

describe('packets', () => {
  test('reach the pod from outside, from the node, from another pod and from itself as with the reference', async () => {
    const ours = await matrix(false);
    expect(ours.outside).toMatchObject({
      'tcp 192.0.2.1 8080': '192.0.2.2',
      'udp 192.0.2.1 5353': '192.0.2.2',
      'tcp 2001:db8::1 8080': '2001:db8::2',
      'udp 2001:db8::1 5353': '2001:db8::2',
      'tcp 192.0.2.9 9090': '192.0.2.2',
      'tcp 192.0.2.1 9090': null,
      'tcp 192.0.2.1 9091': null,
      'udp 192.0.2.1 8080': null,
    });
    expect(ours.node).toMatchObject({
      'tcp 192.0.2.1 8080': '192.0.2.1',
      'tcp 127.0.0.1 8080': '10.42.1.1',
      'udp 127.0.0.1 5353': '10.42.1.1',
      'tcp 127.0.0.1 9091': '10.42.1.1',
      'tcp 127.0.0.1 9090': null,
      'tcp ::1 8080': null,
    });
    for (const from of ['other', 'itself'] as const)
      expect(ours[from]).toMatchObject({
        'tcp 192.0.2.1 8080': '10.42.1.1',
        'udp 10.42.1.1 5353': '10.42.1.1',
        'tcp 2001:db8::1 8080': 'fd00:42:1::1',
      });
    expect(ours.other).toMatchObject({ 'tcp 10.42.1.2 80': '10.42.1.3' });
    expect(ours).toEqual(await matrix(true));
  });

  test('of SCTP, and their answers, are translated over both families', async () => {
    const { node, outside } = lab.newNode();
    const pod = lab.newSpace();
    const diameter = { hostPort: 3868, containerPort: 3869, protocol: 'sctp' };
    expect(lab.add({ node, pod, id: 'pod-1', mappings: [diameter] }).status).toBe(0);
    await untilSettled([node, outside]);
    for (const [family, there, back] of [
      [4, '192.0.2.1', '192.0.2.2'],
      [6, '2001:db8::1', '2001:db8::2'],
    ] as const) {
      using client = new SctpSocket(outside, family);
      using server = new SctpSocket(pod, family);
      const call = { sourcePort: 4000, destinationPort: 3868, isAnswer: false };
      const atPod = { ...call, destinationPort: 3869 };
      const answer = { sourcePort: 3869, destinationPort: 4000, isAnswer: true };
      client.send(there as Ip, call);
      await eventually(() => expect(server.receive()).toEqual(atPod));
      server.send(back as Ip, answer);
      await eventually(() => expect(client.receive()).toEqual({ ...answer, sourcePort: 3868 }));
    }
  });
});

describe('beside others', () => {
  /** As kube-proxy has it for a Service with a port of the node, and flannel for what leaves the network. */
  const OTHERS = `table ip kube-proxy {
    chain nat-prerouting { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 8080 dnat to 10.42.1.3:80; }
    chain nat-postrouting { type nat hook postrouting priority srcnat; meta mark & 0x4000 == 0x4000 masquerade; }
  }
  table ip flannel-ipv4 {
    chain postrtg { type nat hook postrouting priority srcnat;
      ip saddr 10.42.1.0/24 ip daddr 10.42.0.0/16 return; ip saddr != 10.42.0.0/16 ip daddr 10.42.1.0/24 return;
      ip saddr 10.42.0.0/16 masquerade fully-random; }
  }`;

  test.each([
    ['made before', true],
    ['made after', false],
  ])(
    "a Service's port goes before a container's, and what is not the Service's to the container: %s",
    async (_, first) => {
      const { node, outside } = lab.newNode();
      const [pod, other] = [lab.newSpace(), lab.newSpace()];
      if (first) run(node, ['nft', OTHERS]);
      const mappings = [WEB, { ...WEB, hostPort: 81, containerPort: 90 }];
      expect(lab.add({ node, pod, id: 'pod-1', mappings }).status).toBe(0);
      expect(lab.add({ node, pod: other, id: 'pod-2' }).status).toBe(0);
      if (!first) run(node, ['nft', OTHERS]);
      // Only the Service's answers at port 80.
      await lab.serve(pod, [90]);
      await lab.serve(other, [80]);
      const ofService = 'tcp 192.0.2.1 8080';
      const ofPod = 'tcp 192.0.2.1 81';
      const before = await lab.ask(outside, [ofService, ofPod]);
      expect(before).toEqual({ [ofService]: '192.0.2.2', [ofPod]: '192.0.2.2' });
      expect(await lab.ask(pod, [ofPod])).toEqual({ [ofPod]: '10.42.1.1' });
      expect(await lab.ask(node, ['tcp 127.0.0.1 81'])).toEqual({ 'tcp 127.0.0.1 81': '10.42.1.1' });
      expect(lab.portmap('DEL', { node, pod, id: 'pod-1' }).status).toBe(0);
      expect(await lab.ask(outside, [ofService, ofPod])).toEqual({ [ofService]: '192.0.2.2', [ofPod]: null });
    },
  );
});

describe('127.0.0.1', () => {
  test('is open for a link to pods only as long as a port needs it, and to nobody beyond', async () => {
    const { node } = lab.newNode();
    const [pod, other] = [lab.newSpace(), lab.newSpace()];
    const setting = () => run(node, ['cat', '/proc/sys/net/ipv4/conf/cni0/route_localnet']).trim();
    expect(lab.add({ node, pod: other, id: 'pod-2', mappings: [ONE_ADDRESS] }).status).toBe(0);
    expect(setting()).toBe('0');
    expect(lab.add({ node, pod, id: 'pod-1', mappings: [WEB] }).status).toBe(0);
    expect(setting()).toBe('1');
    await lab.serve(node, [7000]);
    for (const command of [
      'ip address del 127.0.0.1/8 dev lo',
      'sysctl -q net.ipv4.conf.eth0.route_localnet=1',
      'ip route add 127.0.0.1 via 10.42.1.1',
    ])
      run(other, command.split(' '));
    const question = 'tcp 127.0.0.1 7000';
    expect(await lab.ask(other, [question])).toEqual({ [question]: null });
    // Without the guard it is what the reference leaves open.
    run(node, ['nft', 'flush', 'chain', 'ip', TABLE, 'guard']);
    expect(await lab.ask(other, [question])).toEqual({ [question]: '10.42.1.2' });
    expect(lab.portmap('DEL', { node, pod, id: 'pod-1' }).status).toBe(0);
    expect(setting()).toBe('0');
  });
});

describe('connections', () => {
  test('over UDP that the kernel remembers do not keep a client from the new pod', async () => {
    const { node, outside } = lab.newNode();
    const [pod, next] = [lab.newSpace(), lab.newSpace()];
    // One that the node answered itself, one to a pod of before, and one that only passes through.
    track(node, '192.0.2.1', '192.0.2.1');
    track(node, '192.0.2.9', '10.42.1.77');
    track(node, '198.51.100.53', '198.51.100.53');
    expect(lab.add({ node, pod, id: 'pod-1', mappings: [DNS] }).status).toBe(0);
    const tracked = () => connections(node);
    expect(tracked().match(/dst=\S+ sport=4000/g)).toEqual(['dst=198.51.100.53 sport=4000']);
    await lab.serve(pod, [53]);
    expect(await lab.ask(outside, ['udp 192.0.2.1 5353'])).toEqual({ 'udp 192.0.2.1 5353': '192.0.2.2' });
    expect(tracked()).toContain('src=10.42.1.2');
    expect(lab.portmap('DEL', { node, pod, id: 'pod-1' }).status).toBe(0);
    expect(tracked()).not.toContain('src=10.42.1.2');
    expect(tracked()).toContain('dst=198.51.100.53');
    expect(lab.add({ node, pod: next, id: 'pod-2', mappings: [DNS] }).status).toBe(0);
  });

  test("to another address of the node are nobody else's, and stay", () => {
    const { node } = lab.newNode();
    const pod = lab.newSpace();
    track(node, '192.0.2.1', '192.0.2.1');
    track(node, '192.0.2.9', '10.42.1.77');
    const one = { node, pod, id: 'pod-1', mappings: [{ ...DNS, hostIP: '192.0.2.1' }] };
    expect(lab.add(one).status).toBe(0);
    expect(connections(node).match(/dst=\S+ sport=4000/g)).toEqual(['dst=192.0.2.9 sport=4000']);
    expect(lab.portmap('DEL', one).status).toBe(0);
    expect(connections(node).match(/dst=\S+ sport=4000/g)).toEqual(['dst=192.0.2.9 sport=4000']);
  });
});

/** Makes the node remember a connection to its port 5353. */
function track(node: Netns, daddr: string, answeredBy: string): void {
  run(node, [
    ...`conntrack -I -p udp -s 192.0.2.2 -d ${daddr} --sport 4000 --dport 5353 -t 100`.split(' '),
    ...`-r ${answeredBy} -q 192.0.2.2 --reply-port-src 53 --reply-port-dst 4000`.split(' '),
  ]);
}

function connections(node: Netns): string {
  return run(node, ['sh', '-c', 'conntrack -L -p udp 2>/dev/null']);
}
