/** CHECK is an empty difference, and names each field that another hand has changed. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import type { Netns } from '../../ffi/netns.ts';
import { pathOf } from './cni-plugin.ts';
import { CniStage, DELEGATE } from './cni-stage.ts';
import { run } from './witness.ts';

let stage: CniStage;
let pod: Netns;

beforeEach(() => {
  stage = new CniStage();
  pod = stage.newPod();
});

afterEach(() => stage[Symbol.dispose]());

function veth(): string {
  const [{ ifname } = {}] = stage.links(stage.node, 'veth');
  return String(ifname);
}

function sysctl(where: Netns, setting: string): void {
  run(where, ['sysctl', '-qw', setting]);
}

const IN_POD: readonly (readonly [damage: string, told: string])[] = [
  ['ip link set eth0 mtu 1400', 'eth0 has MTU 1400, not 1450'],
  ['ip link set eth0 address 02:00:00:00:00:01', 'eth0 has MAC 02:00:00:00:00:01, not 0a:58:0a:2a:01:02'],
  ['ip address del 10.42.1.2/24 dev eth0', 'eth0 has lost its address 10.42.1.2/24'],
  ['ip address del fd00:42:1::2/64 dev eth0', 'eth0 has lost its address fd00:42:1::2/64'],
  ['ip route del default', 'the route to 0.0.0.0/0 is gone'],
  ['ip -6 route del fd00:42::/48', 'the route to fd00:42::/48 is gone'],
  [
    'ip route replace 10.42.0.0/16 via 10.42.1.9 dev eth0',
    'the route to 10.42.0.0/16 goes by 10.42.1.9, not by 10.42.1.1',
  ],
  ['sysctl -qw net.ipv4.conf.eth0.arp_notify=0', 'net/ipv4/conf/eth0/arp_notify is 0, not 1'],
  ['sysctl -qw net.ipv6.conf.eth0.accept_dad=1', 'net/ipv6/conf/eth0/accept_dad is 1, not 0'],
  ['ip link set eth0 name eth9', 'there is no interface eth0 in the container'],
];

test.each([...IN_POD])('in the pod: %s', (damage, told) => {
  expect(stage.call('ADD', pathOf(pod)).status).toBe(0);
  expect(stage.call('CHECK', pathOf(pod))).toEqual({ status: 0, told: undefined });
  run(pod, damage.split(' '));
  // Whatever else went with it.
  const all = new RegExp(`(^|; )${RegExp.escape(told)}(; .*)?\\. Delete the pod; it is made anew$`);
  expect(stage.call('CHECK', pathOf(pod))).toMatchObject({
    status: 1,
    told: { code: 100, details: expect.stringMatching(all) },
  });
});

test('on the node: the port, the bridge and what lets them forward', () => {
  expect(stage.call('ADD', pathOf(pod)).status).toBe(0);
  const port = veth();
  const { node } = stage;
  sysctl(node, 'net.ipv4.ip_forward=0');
  run(node, ['ip', 'link', 'set', port, 'mtu', '1400', 'type', 'bridge_slave', 'hairpin', 'off']);
  run(node, ['ip', 'address', 'del', '10.42.1.1/24', 'dev', 'cni0']);
  const told = (details: string[]) => ({
    status: 1,
    told: {
      cniVersion: '1.0.0',
      code: 100,
      msg: `${details[0]} (and ${details.length - 1} more)`,
      details: `${details.join('; ')}. Delete the pod; it is made anew`,
    },
  });
  expect(stage.call('CHECK', pathOf(pod))).toEqual(
    told([
      'cni0 has lost its address 10.42.1.1/24',
      'net/ipv4/ip_forward is 0, not 1',
      `${port} has MTU 1400, not 1450`,
      `${port} has hairpin mode off, not on`,
    ]) as never,
  );
  // Another pod puts right what all share.
  expect(stage.call('ADD', pathOf(stage.newPod()), { id: 'pod-2' }).status).toBe(0);
  run(node, ['ip', 'link', 'set', port, 'nomaster']);
  run(node, ['ip', 'link', 'set', 'cni0', 'down']);
  expect(stage.call('CHECK', pathOf(pod))).toMatchObject({
    told: { details: expect.stringMatching(/^cni0 is down; .*is no port of cni0/) },
  });
});

test('a bridge that is not promiscuous any more, and one that is gone', () => {
  const conf = stage.config({ ...DELEGATE, hairpinMode: false, promiscMode: true });
  expect(stage.call('ADD', pathOf(pod), { conf }).status).toBe(0);
  expect(stage.call('CHECK', pathOf(pod), { conf }).status).toBe(0);
  run(stage.node, ['ip', 'link', 'set', 'cni0', 'promisc', 'off']);
  expect(stage.call('CHECK', pathOf(pod), { conf })).toMatchObject({
    told: { msg: 'cni0 is not promiscuous' },
  });
  run(stage.node, ['ip', 'link', 'del', 'cni0']);
  expect(stage.call('CHECK', pathOf(pod), { conf })).toMatchObject({
    told: { msg: expect.stringContaining('there is no bridge cni0') },
  });
});

test('of a container that nobody has added nothing is known', () => {
  expect(stage.call('CHECK', pathOf(pod))).toMatchObject({ status: 1, told: { code: 3 } });
});
