/**
 * What an nftables rule is made of: a list of expressions, each a small machine instruction over registers
 * (`linux/netfilter/nf_tables.h`).
 *
 * @module
 */
import { attrs, list } from './attributes.ts';
import { be32, bytes, str } from './codec.ts';
import { tagged } from './tagged.ts';

/** NFT_REG_*: where an expression reads and writes; a verdict has a register of its own. */
export const NFT_REG = { VERDICT: 0, FIRST: 1 } as const;

/** NF_* and NFT_*: what becomes of a packet, as the kernel writes it into 32 bits. */
export const NFT_VERDICT = { DROP: 0, ACCEPT: 1, RETURN: 0xfffffffb } as const;

/** NFT_CMP_*. */
export const NFT_CMP = { EQ: 0, NEQ: 1 } as const;

/** NFT_META_*. */
export const NFT_META = { MARK: 3 } as const;

/** NFT_PAYLOAD_*: what an offset is counted from. */
export const NFT_PAYLOAD = { NETWORK_HEADER: 1 } as const;

/** NF_NAT_RANGE_* (`linux/netfilter/nf_nat.h`). */
export const NF_NAT_RANGE = { PROTO_RANDOM_FULLY: 0x10 } as const;

// NFTA_VERDICT_*
const verdict = attrs('verdict', { code: [1, be32], chain: [2, str] }, 'nested');

// NFTA_DATA_*
const data = attrs('data', { value: [1, bytes], verdict: [2, verdict] }, 'nested');

/** The expressions that are read and written; another one is known by its name only. */
export const expression = tagged(
  'expression',
  { kindId: 1, dataId: 2, form: 'libnftnl' },
  {
    // NFTA_META_*
    meta: attrs('meta', { key: [2, be32], dreg: [1, be32], sreg: [3, be32] }, 'nested'),
    // NFTA_PAYLOAD_*
    payload: attrs(
      'payload',
      { dreg: [1, be32], base: [2, be32], offset: [3, be32], length: [4, be32], sreg: [5, be32] },
      'nested',
    ),
    // NFTA_BITWISE_*
    bitwise: attrs(
      'bitwise',
      {
        sreg: [1, be32],
        dreg: [2, be32],
        operation: [6, be32],
        length: [3, be32],
        mask: [4, data],
        xor: [5, data],
      },
      'nested',
    ),
    // NFTA_CMP_*
    cmp: attrs('cmp', { sreg: [1, be32], operation: [2, be32], data: [3, data] }, 'nested'),
    // NFTA_IMMEDIATE_*
    immediate: attrs('immediate', { dreg: [1, be32], data: [2, data] }, 'nested'),
    // NFTA_MASQ_*
    masq: attrs('masq', { flags: [1, be32], portMinReg: [2, be32], portMaxReg: [3, be32] }, 'nested'),
    // NFTA_COUNTER_*: what it has counted is nobody's concern here.
    counter: attrs('counter', {}, 'nested'),
  },
);

/** NFTA_LIST_ELEM. */
export const expressions = list('expressions', 1, expression);
