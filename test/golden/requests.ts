/**
 * What the captured requests mean: the values that our codecs must read from those bytes and write as them.
 *
 * @module
 */
import { controlMessage, genlmsghdr } from '../../src/netlink/generic.ts';
import { ifinfomsg } from '../../src/netlink/link-kinds.ts';
import {
  AF,
  IFA_F,
  IFF,
  RT_TABLE_MAIN,
  RTM,
  RTNH_F_ONLINK,
  routeMessage,
  rtmsg,
  setPortMessage,
} from '../../src/netlink/route.ts';
import {
  address,
  blackhole,
  changedLink,
  features,
  forwarding,
  type Habit,
  ip,
  mac,
  neighbour,
  newLink,
  type RequestCase,
  route,
} from './request-values.ts';

const ETHTOOL_PADDING: Habit = {
  overlook: 'padding',
  offsets: [22, 71],
  why: 'ethtool leaves what was in its buffer behind the names of the device and of the bit',
};

/** linux/rtnetlink.h: `ip route del` asks for a route of any scope. */
const RT_SCOPE_NOWHERE = 255;

// Indexes in the namespace of capture.sh.
const BR0 = 2;
const VETH0 = 4;
const FLANNEL = 5;
const FLANNEL_V6 = 6;

/** Every file in `requests/` but those of nft. */
export const REQUESTS: readonly RequestCase[] = [
  newLink('link-add-bridge', { address: mac('01'), name: 'br0', linkInfo: { kind: 'bridge' } }),
  newLink('link-add-bridge-options', {
    address: mac('07'),
    name: 'br1',
    linkInfo: { kind: 'bridge', data: { stpState: 0, vlanFiltering: 0 } },
  }),
  newLink('link-add-veth', {
    address: mac('02'),
    mtu: 1400,
    name: 'veth0',
    linkInfo: {
      kind: 'veth',
      data: { peer: { header: ifinfomsg.of({}), attrs: { address: mac('03'), mtu: 1400, name: 'veth1' } } },
    },
  }),
  newLink('link-add-vxlan', {
    address: mac('04'),
    mtu: 1350,
    txQueueLength: 0,
    name: 'flannel.1',
    linkInfo: {
      kind: 'vxlan',
      data: { link: BR0, ttl: 0, gbp: true, id: 1, local: ip('192.168.1.2'), learning: false, port: 8472 },
    },
  }),
  newLink('link-add-vxlan-ipv6', {
    address: mac('05'),
    name: 'flannel-v6.1',
    linkInfo: {
      kind: 'vxlan',
      data: {
        link: BR0,
        proxy: false,
        rsc: false,
        l2miss: false,
        l3miss: false,
        udpZeroCsum6Tx: false,
        udpZeroCsum6Rx: false,
        id: 1,
        local6: ip('fd00:1::2'),
        learning: false,
        port: 8472,
      },
    },
  }),
  newLink('link-add-vxlan-group', {
    address: mac('08'),
    name: 'vxlan2',
    linkInfo: {
      kind: 'vxlan',
      data: { link: BR0, id: 2, group: ip('239.1.1.1'), learning: true, port: 8472 },
    },
  }),
  newLink('link-add-vxlan-group-ipv6', {
    address: mac('09'),
    name: 'vxlan3',
    linkInfo: {
      kind: 'vxlan',
      data: { link: BR0, id: 3, group6: ip('ff05::100'), learning: true, port: 8472 },
    },
  }),
  changedLink('link-set-master', { index: VETH0, attrs: { master: BR0 } }),
  {
    file: 'link-set-hairpin',
    type: RTM.NEWLINK,
    flags: 0,
    codec: setPortMessage,
    value: {
      header: ifinfomsg.of({ index: VETH0 }),
      attrs: { port: { kind: 'bridge_slave', data: { hairpin: true } } },
    },
  },
  changedLink('link-set-up', { index: BR0, flags: IFF.UP, change: IFF.UP }),
  changedLink('link-set-mtu', { index: FLANNEL, attrs: { mtu: 1330 } }),
  changedLink('link-set-address', { index: FLANNEL, attrs: { address: mac('06') } }),
  changedLink('link-del', { type: RTM.DELLINK, index: FLANNEL }),
  address('address-add-ipv4', { length: 24, index: BR0, local: '192.168.1.2' }),
  address('address-add-ipv4-vxlan', { length: 32, index: FLANNEL, local: '10.42.0.0' }),
  address('address-add-ipv6', { length: 64, index: BR0, local: 'fd00:1::2', flags: IFA_F.NODAD }),
  address('address-add-ipv6-vxlan', { length: 128, index: FLANNEL_V6, local: 'fd00:42::' }),
  {
    ...address('address-del', { length: 32, index: FLANNEL, local: '10.42.0.0' }),
    type: RTM.DELADDR,
    flags: 0,
  },
  route('route-replace-ipv4-onlink', { length: 24, dst: '10.42.1.0', oif: FLANNEL, flags: RTNH_F_ONLINK }),
  route('route-replace-ipv4-gateway', {
    length: 24,
    dst: '10.42.2.0',
    gateway: '192.168.1.7',
    protocol: 102,
  }),
  blackhole('route-replace-ipv4-blackhole', '10.42.3.0', 24),
  blackhole('route-replace-ipv6-blackhole', 'fd00:42:0:3::', 64),
  route('route-replace-ipv6-onlink', {
    length: 64,
    dst: 'fd00:42:0:1::',
    oif: FLANNEL_V6,
    flags: RTNH_F_ONLINK,
  }),
  {
    file: 'route-del',
    type: RTM.DELROUTE,
    flags: 0,
    codec: routeMessage,
    value: {
      header: rtmsg.of({
        family: AF.INET,
        dstLength: 24,
        table: RT_TABLE_MAIN,
        scope: RT_SCOPE_NOWHERE,
        flags: RTNH_F_ONLINK,
      }),
      attrs: { dst: '10.42.1.0', gateway: '10.42.1.0', oif: FLANNEL },
    },
  },
  neighbour('neighbour-replace-ipv4', { ifindex: FLANNEL, dst: '10.42.1.0', lladdr: '02:00:00:00:01:00' }),
  neighbour('neighbour-replace-ipv6', {
    ifindex: FLANNEL_V6,
    dst: 'fd00:42:0:1::',
    lladdr: '02:00:00:00:01:06',
  }),
  {
    ...neighbour('neighbour-del', { ifindex: FLANNEL, dst: '10.42.1.0' }),
    type: RTM.DELNEIGH,
    flags: 0,
  },
  forwarding('fdb-replace-ipv4', { ifindex: FLANNEL, dst: '192.168.1.3', lladdr: '02:00:00:00:01:00' }),
  forwarding('fdb-replace-ipv6', { ifindex: FLANNEL_V6, dst: 'fd00:1::3', lladdr: '02:00:00:00:01:06' }),
  {
    ...forwarding('fdb-del', { ifindex: FLANNEL, dst: '192.168.1.3', lladdr: '02:00:00:00:01:00' }),
    type: RTM.DELNEIGH,
    flags: 0,
  },
  {
    file: 'family-get',
    type: 16,
    flags: 0,
    codec: controlMessage,
    value: { header: genlmsghdr.of({ command: 3, version: 1 }), attrs: { familyName: 'ethtool' } },
  },
  features('features-get', { command: 11 }),
  {
    ...features('features-set', { command: 12, wanted: { bits: [{ name: 'tx-checksum-ip-generic' }] } }),
    habit: ETHTOOL_PADDING,
  },
];
