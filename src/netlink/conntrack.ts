/**
 * NETLINK_NETFILTER's connection tracking: the connections that the kernel remembers, and with them how their addresses
 * are translated (`linux/netfilter/nfnetlink_conntrack.h`).
 *
 * @module
 */
import { attrs } from './attributes.ts';
import { be16, be32, ip, u8, u32 } from './codec.ts';
import { netfilterMessage } from './nftables.ts';

/** IPCTNL_MSG_CT_*, with the byte of NFNL_SUBSYS_CTNETLINK. */
export const IPCTNL_MSG_CT = { GET: 0x101, DELETE: 0x102 } as const;

/** What of a tuple is compared (`net/netfilter/nf_internals.h`: CTA_FILTER_F_*). */
export const CTA_FILTER_F = { PROTO_NUM: 1 << 3, PROTO_DST_PORT: 1 << 5 } as const;

// CTA_IP_*
const addresses = attrs(
  'addresses',
  { src4: [1, ip], dst4: [2, ip], src6: [3, ip], dst6: [4, ip] },
  'nested',
);

// CTA_PROTO_*
const protocol = attrs('protocol', { number: [1, u8], srcPort: [2, be16], dstPort: [3, be16] }, 'nested');

// CTA_TUPLE_*
const tuple = attrs(
  'tuple',
  { addresses: [1, addresses], protocol: [2, protocol], zone: [3, be16] },
  'nested',
);

// CTA_FILTER_*. Kernels before 5.8 know none, and show everything.
const filter = attrs('filter', { origFlags: [1, u32], replyFlags: [2, u32] }, 'nested');

/** IPCTNL_MSG_CT_*: CTA_*. The packets that are answered are of the tuple `orig`, the answers of `reply`. */
export const conntrackMessage = netfilterMessage(
  'conntrack',
  attrs('conntrack', {
    orig: [1, tuple],
    reply: [2, tuple],
    zone: [18, be16],
    id: [12, be32],
    filter: [25, filter],
  }),
);
