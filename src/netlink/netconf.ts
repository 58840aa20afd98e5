/**
 * NETLINK_ROUTE: what the kernel announces of its network settings (`linux/netconf.h`).
 *
 * @module
 */
import { attrs, message, struct } from './attributes.ts';
import { i32, u8 } from './codec.ts';

/** `linux/rtnetlink.h`, the message type. */
export const RTM_NEWNETCONF = 80;

/** `linux/rtnetlink.h`, RTNLGRP_IPV4_NETCONF and RTNLGRP_IPV6_NETCONF as bits of `sockaddr_nl.nl_groups`. */
export const NETCONF_GROUPS = 0x1800000;

/** What is about all links, those to come among them. */
export const NETCONFA_IFINDEX_ALL = -1;

/** struct netconfmsg. */
export const netconfmsg = struct('netconfmsg', { family: u8 });

/** RTM_NEWNETCONF with NETCONFA_*: settings of a link, or of all. */
export const netconfMessage = message(
  'netconf',
  netconfmsg,
  attrs('netconf', { ifindex: [1, i32], forwarding: [2, i32] }),
);
