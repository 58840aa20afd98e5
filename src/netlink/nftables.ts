/**
 * NETLINK_NETFILTER's nftables: tables, chains and rules, changed in transactions (`linux/netfilter/nfnetlink.h`,
 * `linux/netfilter/nf_tables.h`).
 *
 * @module
 */
import { type AttributesCodec, type AttributeTable, attrs, message, struct } from './attributes.ts';
import { be16, be32, be64, bytes, str, u8 } from './codec.ts';
import { expressions } from './nftables-expressions.ts';

/** `linux/netlink.h`: the protocol of the socket. */
export const NETLINK_NETFILTER = 12;

/** The multicast group NFNLGRP_NFTABLES as a bit of `sockaddr_nl.nl_groups`. */
export const NFTABLES_GROUP = 0x40;

/** NFNL_SUBSYS_NFTABLES: the upper byte of a message's type, and what a batch is for. */
export const NFNL_SUBSYS_NFTABLES = 10;

/** NFNL_MSG_BATCH_*: what is between them is one transaction. */
export const NFNL_MSG_BATCH = { BEGIN: 0x10, END: 0x11 } as const;

/** NFT_MSG_*, with the subsystem's byte. */
export const NFT_MSG = {
  NEWTABLE: 0xa00,
  GETTABLE: 0xa01,
  DELTABLE: 0xa02,
  NEWCHAIN: 0xa03,
  GETCHAIN: 0xa04,
  DELCHAIN: 0xa05,
  NEWRULE: 0xa06,
  GETRULE: 0xa07,
  DELRULE: 0xa08,
  NEWSET: 0xa09,
  GETSET: 0xa0a,
  NEWSETELEM: 0xa0c,
  GETSETELEM: 0xa0d,
  DELSETELEM: 0xa0e,
  NEWGEN: 0xa0f,
  GETGEN: 0xa10,
} as const;

/** NFPROTO_* (`linux/netfilter.h`). */
export const NFPROTO = { UNSPEC: 0, INET: 1, IPV4: 2, IPV6: 10 } as const;

/** NF_INET_*: where in a packet's way a chain is called. */
export const NF_INET = { PRE_ROUTING: 0, LOCAL_IN: 1, FORWARD: 2, LOCAL_OUT: 3, POST_ROUTING: 4 } as const;

/** `linux/netfilter/nfnetlink.h`: struct nfgenmsg. */
export const nfgenmsg = struct('nfgenmsg', { family: u8, version: u8, resourceId: be16 });

/** The payload of a subsystem's messages: {@link nfgenmsg}, then its attributes. */
export function netfilterMessage<A extends AttributeTable>(name: string, body: AttributesCodec<A>) {
  return message(name, nfgenmsg, body);
}

/** NFNL_MSG_BATCH_*: NFNL_BATCH_*. The resource is the subsystem. */
export const batchMessage = netfilterMessage('batch', attrs('batch', { generation: [1, be32] }));

/** NFT_MSG_*GEN: NFTA_GEN_*. The generation changes with every transaction, whoever's it is. */
export const generationMessage = netfilterMessage(
  'generation',
  attrs('generation', { id: [1, be32], processId: [2, be32], processName: [3, str] }),
);

/** NFT_TABLE_F_*: a table without effect, and one that nobody but who has made it may change (since Linux 5.12). */
export const NFT_TABLE_F = { DORMANT: 1, OWNER: 2 } as const;

/** NFT_MSG_*TABLE: NFTA_TABLE_*. */
export const tableMessage = netfilterMessage(
  'table',
  attrs('table', { name: [1, str], flags: [2, be32], use: [3, be32], userData: [6, bytes] }),
);

/** Of whatever is in a table, and of the table itself: all begin with its name, under one number. */
export const memberMessage = netfilterMessage('member', attrs('member', { table: [1, str] }));

// NFTA_HOOK_*; the priority is signed
const hook = attrs('hook', { number: [1, be32], priority: [2, be32] }, 'nested');

/** NFT_MSG_*CHAIN: NFTA_CHAIN_*. */
export const chainMessage = netfilterMessage(
  'chain',
  attrs('chain', {
    table: [1, str],
    name: [3, str],
    type: [7, str],
    policy: [5, be32],
    hook: [4, hook],
    flags: [10, be32],
    userData: [12, bytes],
  }),
);

/** NFT_MSG_*RULE: NFTA_RULE_*. */
export const ruleMessage = netfilterMessage(
  'rule',
  attrs('rule', {
    table: [1, str],
    chain: [2, str],
    handle: [3, be64],
    expressions: [4, expressions],
    userData: [7, bytes],
  }),
);

/** The same as far as it says where the rule is. */
export const rulePlaceMessage = netfilterMessage('rule', attrs('rule', { table: [1, str], chain: [2, str] }));
