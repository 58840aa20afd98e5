/**
 * The kinds of virtual link, and what each is made of (`linux/if_link.h`).
 *
 * @module
 */
import { attrs, message, struct } from './attributes.ts';
import { be16, bool8, flag, i32, ip, mac, str, u8, u16, u32 } from './codec.ts';
import { tagged } from './tagged.ts';

/** `linux/rtnetlink.h`: struct ifinfomsg. */
export const ifinfomsg = struct('ifinfomsg', { family: u8, type: u16, index: i32, flags: u32, change: u32 });

/** `linux/if_link.h`: IFLA_VXLAN_*, in the order in which `ip link add` writes them. */
export const vxlan = attrs('vxlan', {
  link: [3, u32],
  ttl: [5, u8],
  tos: [6, u8],
  gbp: [23, flag],
  proxy: [11, bool8],
  rsc: [12, bool8],
  l2miss: [13, bool8],
  l3miss: [14, bool8],
  udpZeroCsum6Tx: [19, bool8],
  udpZeroCsum6Rx: [20, bool8],
  id: [1, u32],
  group: [2, ip],
  group6: [16, ip],
  local: [4, ip],
  local6: [17, ip],
  learning: [7, bool8],
  port: [15, be16],
});

/** `linux/if_link.h`: IFLA_BR_*. */
export const bridge = attrs('bridge', { stpState: [5, u32], vlanFiltering: [7, u8] });

// linux/if_link.h: IFLA_*, as far as the other end of a pair takes them
const vethPeer = message(
  'peer',
  ifinfomsg,
  attrs('peer', { address: [1, mac], mtu: [4, u32], netNsFd: [28, u32], name: [3, str] }),
);

/** `linux/veth.h`: VETH_INFO_*. */
export const veth = attrs('veth', { peer: [1, vethPeer] });

/** `linux/if_link.h`: IFLA_INFO_*. */
export const linkInfo = tagged('linkinfo', { kindId: 1, dataId: 2 }, { vxlan, bridge, veth });
