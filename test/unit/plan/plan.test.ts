import { describe, expect, test } from 'bun:test';
import type { Family } from '../../../src/model/ip.ts';
import type { BackendConfig } from '../../../src/model/network.ts';
import { describe as describeObject, type KernelObject } from '../../../src/model/objects.ts';
import type { Underlay } from '../../../src/model/underlay.ts';
import type { Inputs } from '../../../src/plan/backend.ts';
import { plan } from '../../../src/plan/plan.ts';
import { HOST_GW, ip, leaseOf, networkOf, underlayOf, VXLAN } from '../../sim/samples.ts';

/** What differs from node 1 of a dual-stack vxlan network. */
interface Changes {
  readonly backend?: BackendConfig;
  readonly families?: readonly Family[];
  readonly underlay?: Partial<Underlay>;
  /** The families of the own lease, if they are not those of the network. */
  readonly own?: readonly Family[];
  readonly ipMasq?: boolean;
}

function inputs({
  backend = VXLAN,
  families = [4, 6],
  underlay = {},
  own,
  ipMasq = false,
}: Changes = {}): Inputs {
  return {
    network: networkOf(backend, families),
    own: leaseOf(1, { families: own ?? families, backendType: backend.type }),
    underlay: underlayOf(underlay),
    subnetFile: '/run/flannel/subnet.env',
    ipMasq,
    fullyRandom: true,
    forward: true,
    iptables: false,
    fixForward: false,
    blackhole: false,
  };
}

function lines(objects: readonly KernelObject[]): string[] {
  return objects.map(describeObject);
}

const isForwarding = (line: string) => line.startsWith('sysctl ') && line.endsWith('=1');

/** What the backend needs. */
function nodeLines(changes: Changes): string[] {
  return lines(plan(inputs(changes)).node).filter((line) => !isForwarding(line));
}

function peerLines(
  changes: Changes,
  peer = leaseOf(2, { backendType: changes.backend?.type ?? 'vxlan' }),
): string[] {
  return lines(plan(inputs(changes)).peer(peer));
}

const NODE4 = [
  'link flannel.1 address 02:00:00:04:00:01 mtu 1450 type vxlan id 1 local 192.168.0.1 dev eth0 dstport 8472 nolearning',
  'sysctl net.ipv6.conf.flannel.1.accept_ra=0',
  'offload tx-checksum-ip-generic off dev flannel.1',
  'address 10.42.1.0/32 dev flannel.1',
  'link flannel.1 up',
];

const NODE6 = [
  'link flannel-v6.1 address 02:00:00:06:00:01 mtu 1430 type vxlan id 1 local fd99::1 dev eth0 dstport 8472 nolearning',
  'sysctl net.ipv6.conf.flannel-v6.1.accept_ra=0',
  'sysctl net.ipv6.conf.flannel-v6.1.disable_ipv6=0',
  'offload tx-checksum-ip-generic off dev flannel-v6.1',
  'address fd42:0:0:1::/128 dev flannel-v6.1',
  'link flannel-v6.1 up',
];

const PEER4 = [
  'neighbour 10.42.2.0 lladdr 02:00:00:04:00:02 dev flannel.1 nud permanent',
  'fdb 02:00:00:04:00:02 dev flannel.1 dst 192.168.0.2 self permanent',
  'route 10.42.2.0/24 via 10.42.2.0 dev flannel.1 onlink',
];

const PEER6 = [
  'neighbour fd42:0:0:2:: lladdr 02:00:00:06:00:02 dev flannel-v6.1 nud permanent',
  'fdb 02:00:00:06:00:02 dev flannel-v6.1 dst fd99::2 self permanent',
  'route fd42:0:0:2::/64 via fd42:0:0:2:: dev flannel-v6.1 onlink',
];

describe('vxlan', () => {
  test.each([
    [[4], NODE4, PEER4],
    [[6], NODE6, PEER6],
    [
      [4, 6],
      [...NODE4, ...NODE6],
      [...PEER4, ...PEER6],
    ],
  ] as const)('plan() for families %p, in the order of making', (families, node, peer) => {
    expect(nodeLines({ families })).toEqual([...node]);
    expect(peerLines({ families })).toEqual([...peer]);
  });

  test('plan() takes VNI, port, learning, group policy and checksum offload from the configuration', () => {
    const backend = { ...VXLAN, vni: 4096, port: 4789, learning: true, gbp: true, txChecksumOffload: true };
    expect(nodeLines({ backend, families: [4] }).slice(0, 3)).toEqual([
      'link flannel.4096 address 02:00:00:04:00:01 mtu 1450 type vxlan id 4096 local 192.168.0.1 dev eth0 dstport 4789 learning gbp',
      'sysctl net.ipv6.conf.flannel.4096.accept_ra=0',
      'offload tx-checksum-ip-generic on dev flannel.4096',
    ]);
  });

  test('plan() sends from the interface address, not from a public one that the node does not have', () => {
    const underlay = { publicIpv4: ip('203.0.113.1') };
    expect(nodeLines({ families: [4], underlay })[0]).toContain(' local 192.168.0.1 ');
  });

  test('plan() gives a peer the families that both have', () => {
    const peer = (families: readonly Family[]) => leaseOf(2, { families });
    expect(peerLines({}, peer([4]))).toEqual(PEER4);
    expect(peerLines({}, peer([6]))).toEqual(PEER6);
    expect(peerLines({ families: [4] }, peer([6]))).toEqual([]);
    expect(peerLines({ families: [6] }, peer([4, 6]))).toEqual(PEER6);
    expect(peerLines({ own: [4] })).toEqual(PEER4);
  });

  test('plan() makes no device for a family that the interface or the own lease lacks', () => {
    expect(nodeLines({ underlay: { ipv6: undefined } })).toEqual(NODE4);
    expect(nodeLines({ own: [6] })).toEqual(NODE6);
  });

  test('plan() leaves a peer out that published no device, or an address of another family', () => {
    const peer = leaseOf(2);
    const { ipv4, ipv6 } = peer;
    if (ipv4 === undefined || ipv6 === undefined) throw new Error('no families');
    expect(peerLines({}, { ...peer, ipv4: { ...ipv4, vtep: undefined } })).toEqual(PEER6);
    expect(peerLines({}, { ...peer, ipv6: { ...ipv6, publicIp: ipv4.publicIp } })).toEqual(PEER4);
  });

  test('plan() leads peers on the same link past the tunnel, if it is told to', () => {
    const near = (to: string) => (to === '192.168.0.2' || to === 'fd99::2' ? 'eth1' : undefined);
    const direct = { ...VXLAN, directRouting: true };
    expect(peerLines({ backend: direct, underlay: { onLink: near } })).toEqual([
      'route 10.42.2.0/24 via 192.168.0.2 dev eth1',
      'route fd42:0:0:2::/64 via fd99::2 dev eth1',
    ]);
    expect(peerLines({ backend: direct })).toEqual([...PEER4, ...PEER6]);
    expect(peerLines({ underlay: { onLink: near } })).toEqual([...PEER4, ...PEER6]);
    const onlyV4 = (to: string) => (to === '192.168.0.2' ? 'eth0' : undefined);
    expect(peerLines({ backend: direct, underlay: { onLink: onlyV4 } })).toEqual([
      'route 10.42.2.0/24 via 192.168.0.2 dev eth0',
      ...PEER6,
    ]);
  });
});

describe('host-gw', () => {
  test.each([
    [[4], ['route 10.42.2.0/24 via 192.168.0.2 dev eth0']],
    [[6], ['route fd42:0:0:2::/64 via fd99::2 dev eth0']],
    [
      [4, 6],
      ['route 10.42.2.0/24 via 192.168.0.2 dev eth0', 'route fd42:0:0:2::/64 via fd99::2 dev eth0'],
    ],
  ] as const)('plan() for families %p', (families, peer) => {
    expect(nodeLines({ backend: HOST_GW, families })).toEqual([]);
    expect(peerLines({ backend: HOST_GW, families })).toEqual([...peer]);
  });

  test('plan() gives a peer the families that both have', () => {
    const peer = leaseOf(2, { families: [6], backendType: 'host-gw' });
    expect(peerLines({ backend: HOST_GW, families: [4] }, peer)).toEqual([]);
    expect(peerLines({ backend: HOST_GW, own: [4] })).toEqual([
      'route 10.42.2.0/24 via 192.168.0.2 dev eth0',
    ]);
  });
});

describe('forwarding', () => {
  test.each([
    [[4], ['sysctl net.ipv4.ip_forward=1']],
    [[6], ['sysctl net.ipv6.conf.all.forwarding=1']],
    [
      [4, 6],
      ['sysctl net.ipv4.ip_forward=1', 'sysctl net.ipv6.conf.all.forwarding=1'],
    ],
  ] as const)(
    'plan() switches it on for families %p, and changes no other value than 0',
    (families, expected) => {
      for (const backend of [VXLAN, HOST_GW]) {
        const { node } = plan(inputs({ families, backend }));
        const found = node.filter((object) => isForwarding(describeObject(object)));
        expect(lines(found)).toEqual([...expected]);
        expect(found).toEqual(found.map((object) => ({ ...object, from: '0' }) as never));
      }
    },
  );

  test('plan() has the kernel go on listening to routers before it forwards', () => {
    const underlay = { routerLinks: ['eth0', 'wlan0.7'] };
    expect(lines(plan(inputs({ families: [6], underlay })).node).slice(-3)).toEqual([
      'sysctl net.ipv6.conf.eth0.accept_ra=2',
      'sysctl net.ipv6.conf.wlan0.7.accept_ra=2',
      'sysctl net.ipv6.conf.all.forwarding=1',
    ]);
    expect(lines(plan(inputs({ families: [4], underlay })).node)).not.toContain(
      'sysctl net.ipv6.conf.eth0.accept_ra=2',
    );
  });
});

describe('MTU', () => {
  // The outer headers take 50 bytes over IPv4, 70 over IPv6; flannel takes 50 for both and leaves it to the kernel
  // to cut the IPv6 device down, of which its subnet.env knows nothing (flannel-facts 9.1).
  test.each([
    { families: [4], link: 1500, config: undefined, ipv4: 1450, ipv6: undefined, pod: 1450 },
    { families: [6], link: 1500, config: undefined, ipv4: undefined, ipv6: 1430, pod: 1430 },
    { families: [4, 6], link: 1500, config: undefined, ipv4: 1450, ipv6: 1430, pod: 1430 },
    { families: [4, 6], link: 9000, config: undefined, ipv4: 8950, ipv6: 8930, pod: 8930 },
    { families: [4, 6], link: 1500, config: 1400, ipv4: 1350, ipv6: 1350, pod: 1350 },
    { families: [4, 6], link: 1500, config: 1490, ipv4: 1440, ipv6: 1430, pod: 1430 },
    { families: [4], link: 1500, config: 9000, ipv4: 1450, ipv6: undefined, pod: 1450 },
    { families: [6], link: 1500, config: 1400, ipv4: undefined, ipv6: 1350, pod: 1350 },
  ] as const)(
    'of a vxlan network of families $families on a link of $link with MTU $config',
    ({ families, link, config, ipv4, ipv6, pod }) => {
      const { node, files } = plan(
        inputs({ families, backend: { ...VXLAN, mtuBytes: config }, underlay: { mtuBytes: link } }),
      );
      const devices = node.flatMap((object) =>
        object.kind === 'link' ? [[object.name, object.mtuBytes]] : [],
      );
      expect(Object.fromEntries(devices)).toEqual({
        ...(ipv4 && { 'flannel.1': ipv4 }),
        ...(ipv6 && { 'flannel-v6.1': ipv6 }),
      });
      expect(files[0]?.text).toContain(`FLANNEL_MTU=${pod}\n`);
    },
  );

  test('of a host-gw network is that of the interface', () => {
    const [file] = plan(inputs({ backend: HOST_GW, underlay: { mtuBytes: 9000 } })).files;
    expect(file?.text).toContain('FLANNEL_MTU=9000\n');
  });
});

describe('subnet.env', () => {
  test.each([
    {
      changes: { families: [4] },
      text: 'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n',
    },
    {
      changes: { families: [6] },
      text: 'FLANNEL_IPV6_NETWORK=fd42::/48\nFLANNEL_IPV6_SUBNET=fd42:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n',
    },
    {
      changes: { ipMasq: true },
      text: `FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_IPV6_NETWORK=fd42::/48
FLANNEL_IPV6_SUBNET=fd42:0:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n`,
    },
    {
      changes: { families: [4], backend: HOST_GW },
      text: 'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=false\n',
    },
    {
      changes: { families: [6], backend: HOST_GW },
      text: 'FLANNEL_IPV6_NETWORK=fd42::/48\nFLANNEL_IPV6_SUBNET=fd42:0:0:1::1/64\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=false\n',
    },
    {
      changes: { backend: HOST_GW },
      text: `FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_IPV6_NETWORK=fd42::/48
FLANNEL_IPV6_SUBNET=fd42:0:0:1::1/64\nFLANNEL_MTU=1500\nFLANNEL_IPMASQ=false\n`,
    },
  ] as const)('plan() for %j writes it as flanneld does', ({ changes, text }) => {
    expect(plan(inputs(changes)).files).toEqual([
      { kind: 'file', path: '/run/flannel/subnet.env', text, mode: 0o644 },
    ]);
  });

  test('plan() leaves it as it is while an enabled family has no lease', () => {
    expect(plan(inputs({ own: [4] })).files).toEqual([]);
    expect(plan(inputs({ own: [6], backend: HOST_GW })).files).toEqual([]);
  });
});

test('plan() of equal inputs is equal, and its peers do not depend on each other', () => {
  const [a, b] = [plan(inputs()), plan(inputs())];
  expect(a.node).toEqual(b.node);
  const alone = a.peer(leaseOf(2));
  b.peer(leaseOf(3));
  expect(b.peer(leaseOf(2))).toEqual(alone);
});
