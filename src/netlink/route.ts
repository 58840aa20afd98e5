/**
 * NETLINK_ROUTE: links, addresses, routes, neighbours and forwarding entries (`rtnetlink(7)`).
 *
 * @module
 */
import { attrs, message, struct } from './attributes.ts';
import { bool8, flag, i32, ip, mac, str, u8, u16, u32 } from './codec.ts';
import { ifinfomsg, linkInfo } from './link-kinds.ts';
import { tagged } from './tagged.ts';

/** `linux/netlink.h`: the protocol of the socket. */
export const NETLINK_ROUTE = 0;

/** `linux/rtnetlink.h`, message types. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
} as const;

/** `linux/rtnetlink.h`, multicast groups as bits of `sockaddr_nl.nl_groups`. */
export const RTMGRP = {
  LINK: 0x1,
  NEIGH: 0x4,
  IPV4_IFADDR: 0x10,
  IPV4_ROUTE: 0x40,
  IPV6_IFADDR: 0x100,
  IPV6_ROUTE: 0x400,
} as const;

/** `linux/socket.h`. */
export const AF = { UNSPEC: 0, INET: 2, BRIDGE: 7, INET6: 10 } as const;

/** `linux/rtnetlink.h`: tables, protocols, scopes, types and flags of routes. */
export const RT_TABLE_MAIN = 254;
export const RTPROT = { KERNEL: 2, BOOT: 3, RA: 9 } as const;
export const RT_SCOPE = { UNIVERSE: 0, LINK: 253 } as const;
export const RTN_UNICAST = 1;
export const RTN_BLACKHOLE = 6;
export const RTNH_F_ONLINK = 4;
export const RTM_F_CLONED = 0x200;

/** `linux/neighbour.h`. */
export const NUD_PERMANENT = 0x80;
/** States of an entry whose host has answered lately, or is being asked: REACHABLE, DELAY, PROBE and PERMANENT. */
export const NUD_IN_USE = 0x02 | 0x08 | 0x10 | NUD_PERMANENT;
export const NTF_SELF = 0x02;

/** `linux/if.h`. */
export const IFF = { UP: 0x1, LOOPBACK: 0x8, RUNNING: 0x40, PROMISC: 0x100 } as const;

/** `linux/if_addr.h`. */
export const IFA_F = {
  SECONDARY: 0x01,
  NODAD: 0x02,
  DADFAILED: 0x08,
  DEPRECATED: 0x20,
  TENTATIVE: 0x40,
  PERMANENT: 0x80,
} as const;

/** `linux/if_link.h`: IFLA_*. */
export const linkAttributes = attrs('link', {
  address: [1, mac],
  mtu: [4, u32],
  txQueueLength: [13, u32],
  master: [10, u32],
  operState: [16, u8],
  netNsFd: [28, u32],
  name: [3, str],
  link: [5, u32],
  linkInfo: [18, linkInfo],
});

/** RTM_*LINK. */
export const linkMessage = message('link', ifinfomsg, linkAttributes);

// linux/if_link.h: IFLA_BRPORT_*
const bridgePort = attrs('bridge', { hairpin: [4, bool8] });

/** A link as the port of a bridge, as the kernel shows it (IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA). */
export const bridgePortMessage = message(
  'link',
  ifinfomsg,
  attrs('link', {
    mtu: [4, u32],
    master: [10, u32],
    name: [3, str],
    port: [18, tagged('linkinfo', { kindId: 4, dataId: 5 }, { bridge: bridgePort })],
  }),
);

/** The same as it is set: by a kind of its own, as iproute2 does. */
export const setPortMessage = message(
  'link',
  ifinfomsg,
  attrs('link', {
    name: [3, str],
    port: [18, tagged('linkinfo', { kindId: 1, dataId: 5 }, { bridge_slave: bridgePort })],
  }),
);

/** `linux/if_addr.h`: struct ifaddrmsg. */
export const ifaddrmsg = struct('ifaddrmsg', {
  family: u8,
  prefixLength: u8,
  flags: u8,
  scope: u8,
  index: u32,
});

/** `linux/if_addr.h`: IFA_*. */
export const addressAttributes = attrs('address', {
  local: [2, ip],
  address: [1, ip],
  broadcast: [4, ip],
  flags: [8, u32],
});

/** RTM_*ADDR. */
export const addressMessage = message('address', ifaddrmsg, addressAttributes);

/** `linux/rtnetlink.h`: struct rtmsg. */
export const rtmsg = struct('rtmsg', {
  family: u8,
  dstLength: u8,
  srcLength: u8,
  tos: u8,
  table: u8,
  protocol: u8,
  scope: u8,
  type: u8,
  flags: u32,
});

/** `linux/rtnetlink.h`: RTA_*. */
export const routeAttributes = attrs('route', {
  dst: [1, ip],
  gateway: [5, ip],
  oif: [4, u32],
  priority: [6, u32],
  prefSrc: [7, ip],
  /** Read for its presence only: several next hops. */
  multipath: [9, flag],
  table: [15, u32],
  /** Read for its presence only: a gateway of the other family. */
  via: [18, flag],
});

/** RTM_*ROUTE. */
export const routeMessage = message('route', rtmsg, routeAttributes);

/** `linux/neighbour.h`: struct ndmsg. */
export const ndmsg = struct('ndmsg', { family: u8, ifindex: i32, state: u16, flags: u8, type: u8 });

/** `linux/neighbour.h`: NDA_*. */
export const neighbourAttributes = attrs('neighbour', {
  dst: [1, ip],
  lladdr: [2, mac],
  ifindex: [8, u32],
  master: [9, u32],
});

/** RTM_*NEIGH: ARP and ND entries, and with family AF_BRIDGE forwarding entries. */
export const neighbourMessage = message('neighbour', ndmsg, neighbourAttributes);
