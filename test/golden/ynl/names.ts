/**
 * What our tables are called in the kernel's specifications, and where the two differ with good reason.
 *
 * @module
 */
import type { Names } from './compare.ts';

const LINK = { spec: 'rt-link', set: 'link-attrs' } as const;

/** By the names of our attribute sets and lists. */
export const NAMES: Readonly<Record<string, Names>> = {
  link: {
    ...LINK,
    attributes: {
      address: 'address',
      mtu: 'mtu',
      txQueueLength: 'txqlen',
      master: 'master',
      operState: 'operstate',
      netNsFd: 'net-ns-fd',
      name: 'ifname',
      link: 'link',
      linkInfo: 'linkinfo',
    },
  },
  peer: { ...LINK, attributes: { address: 'address', mtu: 'mtu', netNsFd: 'net-ns-fd', name: 'ifname' } },
  linkinfo: { spec: 'rt-link', set: 'linkinfo-attrs', attributes: { kindId: 'kind', dataId: 'data' } },
  bridge: {
    spec: 'rt-link',
    set: 'linkinfo-bridge-attrs',
    attributes: { stpState: 'stp-state', vlanFiltering: 'vlan-filtering' },
  },
  address: {
    spec: 'rt-addr',
    set: 'addr-attrs',
    attributes: { local: 'local', address: 'address', broadcast: 'broadcast', flags: 'flags' },
  },
  route: {
    spec: 'rt-route',
    set: 'route-attrs',
    attributes: {
      dst: 'dst',
      gateway: 'gateway',
      oif: 'oif',
      priority: 'priority',
      prefSrc: 'prefsrc',
      multipath: 'multipath',
      table: 'table',
      via: 'via',
    },
  },
  neighbour: {
    spec: 'rt-neigh',
    set: 'neighbour-attrs',
    attributes: { dst: 'dst', lladdr: 'lladdr', ifindex: 'ifindex', master: 'master' },
  },
  nlctrl: {
    spec: 'nlctrl',
    set: 'ctrl-attrs',
    attributes: { familyId: 'family-id', familyName: 'family-name' },
  },
  features: {
    spec: 'ethtool',
    set: 'features',
    attributes: { header: 'header', hw: 'hw', wanted: 'wanted', active: 'active' },
  },
  header: {
    spec: 'ethtool',
    set: 'header',
    attributes: { devIndex: 'dev-index', devName: 'dev-name', flags: 'flags' },
  },
  bitset: { spec: 'ethtool', set: 'bitset', attributes: { noMask: 'nomask', bits: 'bits' } },
  bits: { spec: 'ethtool', set: 'bitset-bits', attributes: { element: 'bit' } },
  bit: { spec: 'ethtool', set: 'bitset-bit', attributes: { name: 'name', value: 'value' } },
};

/** Structures, by our names. */
export const STRUCTS: Readonly<Record<string, string>> = {
  ifinfomsg: 'rt-link',
  ifaddrmsg: 'rt-addr',
  rtmsg: 'rt-route',
  ndmsg: 'rt-neigh',
};

/** Differences that are meant, and why. One that is no difference any more is an error, too. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  // Of IPv4 alone, and four bytes in the order of the network are an address there.
  'address.broadcast: read as ip, and to the kernel it is u32 big-endian ipv4': 'an IPv4 address',
  'route.multipath: read as flag, and to the kernel it is binary': 'only its presence matters',
  'route.via: read as flag, and to the kernel it is binary': 'only its presence matters',
};

/**
 * What no specification has. `vxlan` and `veth` are missing from rt-link.yaml as of Linux 7.3: captures of
 * iproute2 and the kernel judge them, whose bytes are named after the kernel's headers. `genlmsghdr` is part of
 * the protocol, not of a family; `nlctrl` and `features` are captured with it.
 */
export const UNSPECIFIED: Readonly<Record<string, string>> = {
  vxlan: 'IFLA_VXLAN_',
  veth: 'VETH_INFO_',
  genlmsghdr: '',
};
