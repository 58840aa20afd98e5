/**
 * Sets and maps of nf_tables, and their elements (`linux/netfilter/nf_tables.h`).
 *
 * @module
 */
import { attrs, list } from './attributes.ts';
import { be32, bytes, str } from './codec.ts';
import { netfilterMessage } from './nftables.ts';
import { data } from './nftables-expressions.ts';

/** NFT_SET_*. */
export const NFT_SET = { MAP: 0x8, CONCAT: 0x80 } as const;

/**
 * What a key or a value is, for whoever shows it: numbers of nft itself (`include/datatype.h`, enum datatypes), of which a
 * concatenation has six bits each.
 */
export const NFT_TYPE = { IPV4_ADDRESS: 7, IPV6_ADDRESS: 8, PROTOCOL: 12, SERVICE: 13 } as const;

// NFTA_SET_DESC_*: how many elements there will be, unless that is open.
const description = attrs('description', { size: [1, be32] }, 'nested');

/** NFT_MSG_*SET: NFTA_SET_*. Lengths are in bytes. */
export const setMessage = netfilterMessage(
  'set',
  attrs('set', {
    table: [1, str],
    name: [2, str],
    flags: [3, be32],
    keyType: [4, be32],
    keyLength: [5, be32],
    dataType: [6, be32],
    dataLength: [7, be32],
    id: [10, be32],
    description: [9, description],
    userData: [13, bytes],
  }),
);

// NFTA_SET_ELEM_*
const element = attrs(
  'element',
  { flags: [3, be32], key: [1, data], data: [2, data], userData: [6, bytes] },
  'nested',
);

/** NFT_MSG_*SETELEM: NFTA_SET_ELEM_LIST_*. */
export const elementsMessage = netfilterMessage(
  'elements',
  attrs('elements', {
    table: [1, str],
    set: [2, str],
    id: [4, be32],
    elements: [3, list('list', 1, element)],
  }),
);
