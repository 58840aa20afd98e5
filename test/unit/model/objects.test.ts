import { expect, test } from 'bun:test';
import { describe, type KernelObject, keyOf, ROUTE_PROTOCOL } from '../../../src/model/objects.ts';
import { ip, mac, prefix, vxlanLink } from '../../sim/samples.ts';

const ROUTE = {
  kind: 'route',
  dst: prefix('10.42.2.0/24'),
  gateway: ip('10.42.2.0'),
  link: 'flannel.1',
  onlink: true,
  protocol: ROUTE_PROTOCOL,
  metric: undefined,
} as const;

const CASES: readonly (readonly [string, string, KernelObject])[] = [
  [
    'link flannel.1',
    'link flannel.1 address 02:00:00:04:00:01 mtu 1450 type vxlan id 1 local 192.168.0.1 dev eth0 dstport 8472 nolearning',
    vxlanLink(4),
  ],
  [
    'link flannel-v6.1',
    'link flannel-v6.1 address 02:00:00:06:00:01 mtu 1430 type vxlan id 1 local none dev none dstport 4789 learning gbp',
    vxlanLink(6, { device: { local: undefined, parent: undefined, port: 4789, learning: true, gbp: true } }),
  ],
  [
    'link eth0',
    'link eth0 address 02:00:00:00:00:01 mtu 1500 type hardware',
    {
      kind: 'link',
      name: 'eth0',
      mtuBytes: 1500,
      mac: mac('02:00:00:00:00:01'),
      device: { type: 'other', name: '' },
    },
  ],
  ['up flannel.1', 'link flannel.1 up', { kind: 'up', link: 'flannel.1' }],
  [
    'address 10.42.1.0/32 dev flannel.1',
    'address 10.42.1.0/32 dev flannel.1',
    { kind: 'address', link: 'flannel.1', ip: ip('10.42.1.0'), length: 32 },
  ],
  ['route 10.42.2.0/24', 'route 10.42.2.0/24 via 10.42.2.0 dev flannel.1 onlink', ROUTE],
  [
    'route 10.42.2.0/24 metric 50',
    'route 10.42.2.0/24 metric 50 dev eth0',
    { ...ROUTE, gateway: undefined, link: 'eth0', onlink: false, metric: 50 },
  ],
  [
    'neighbour fd42:0:0:2:: dev flannel-v6.1',
    'neighbour fd42:0:0:2:: lladdr 02:00:00:06:00:02 dev flannel-v6.1 nud permanent',
    { kind: 'neighbour', link: 'flannel-v6.1', ip: ip('fd42:0:0:2::'), mac: mac('02:00:00:06:00:02') },
  ],
  [
    'fdb 02:00:00:04:00:02 dev flannel.1',
    'fdb 02:00:00:04:00:02 dev flannel.1 dst 192.168.0.2 self permanent',
    { kind: 'fdb', link: 'flannel.1', mac: mac('02:00:00:04:00:02'), dst: ip('192.168.0.2') },
  ],
  [
    'sysctl net/ipv6/conf/flannel.1/accept_ra',
    'sysctl net.ipv6.conf.flannel.1.accept_ra=0',
    { kind: 'sysctl', name: 'net/ipv6/conf/flannel.1/accept_ra', value: '0', optional: true },
  ],
  [
    'offload tx-checksum-ip-generic dev flannel.1',
    'offload tx-checksum-ip-generic off dev flannel.1',
    { kind: 'offload', link: 'flannel.1', feature: 'tx-checksum-ip-generic', on: false },
  ],
  [
    'file /run/flannel/subnet.env',
    'file /run/flannel/subnet.env',
    { kind: 'file', path: '/run/flannel/subnet.env', text: 'A=1\n', mode: 0o644 },
  ],
  [
    'table ip6 flannel-ipv6',
    'table ip6 flannel-ipv6',
    { kind: 'table', family: 6, name: 'flannel-ipv6', comment: undefined, dormant: false, chains: [] },
  ],
];

test.each(CASES)("keyOf() and describe() of '%s'", (key, text, object) => {
  expect<string>(keyOf(object)).toBe(key);
  expect(describe(object)).toBe(text);
});

test('keyOf() tells all kinds apart', () => {
  const keys = CASES.map(([, , object]) => keyOf(object));
  expect(new Set(keys).size).toBe(keys.length);
});

test('keyOf() is the same for what the kernel would put in the place of the other', () => {
  const moved = { ...ROUTE, gateway: ip('192.168.0.2'), link: 'eth0', onlink: false, protocol: 3 };
  expect(keyOf(moved)).toBe(keyOf(ROUTE));
});
