/**
 * What an nftables rule is made of: a list of expressions, each a small machine instruction over registers
 * (`linux/netfilter/nf_tables.h`).
 *
 * @module
 */
import { attrs, list } from './attributes.ts';
import { be32, bytes, str, u8 } from './codec.ts';
import { tagged } from './tagged.ts';

/**
 * NFT_REG_*: where an expression reads and writes, 16 bytes each; a verdict has a register of its own. NFT_REG32_* are the
 * same room in pieces of four bytes: the first of them is `FIRST`, the others follow from `WORD`.
 */
export const NFT_REG = { VERDICT: 0, FIRST: 1, SECOND: 2, LAST: 4, WORD: 8 } as const;

/** NF_* and NFT_*: what becomes of a packet, as the kernel writes it into 32 bits. */
export const NFT_VERDICT = {
  DROP: 0,
  ACCEPT: 1,
  JUMP: 0xfffffffd,
  GOTO: 0xfffffffc,
  RETURN: 0xfffffffb,
} as const;

/** NFT_CMP_*. */
export const NFT_CMP = { EQ: 0, NEQ: 1 } as const;

/** NFT_META_*. */
export const NFT_META = { MARK: 3, IIFTYPE: 8, NFPROTO: 15, L4PROTO: 16 } as const;

/** NFT_PAYLOAD_*: what an offset is counted from. */
export const NFT_PAYLOAD = { NETWORK_HEADER: 1, TRANSPORT_HEADER: 2 } as const;

/** NF_NAT_RANGE_* (`linux/netfilter/nf_nat.h`). */
export const NF_NAT_RANGE = { PROTO_RANDOM_FULLY: 0x10 } as const;

/** NFT_FIB_RESULT_* and NFTA_FIB_F_*: what a look at the routes is to tell, and of which address. */
export const NFT_FIB = { RESULT_ADDRTYPE: 3, F_DADDR: 2 } as const;

/** NFT_CT_*, and of the connection's state the bits of NF_CT_STATE_BIT (`net/netfilter/nf_conntrack.h`). */
export const NFT_CT = { STATE: 0, STATUS: 2 } as const;

/** NFT_NAT_*. */
export const NFT_NAT = { DNAT: 1 } as const;

// NFTA_VERDICT_*
const verdict = attrs('verdict', { code: [1, be32], chain: [2, str] }, 'nested');

/** NFTA_DATA_*: a value or a verdict. */
export const data = attrs('data', { value: [1, bytes], verdict: [2, verdict] }, 'nested');

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
    // NFTA_LOOKUP_*
    lookup: attrs('lookup', { sreg: [2, be32], dreg: [3, be32], set: [1, str], setId: [4, be32] }, 'nested'),
    // NFTA_NAT_*
    nat: attrs(
      'nat',
      { type: [1, be32], family: [2, be32], addrMinReg: [3, be32], portMinReg: [5, be32] },
      'nested',
    ),
    // NFTA_FIB_*
    fib: attrs('fib', { flags: [3, be32], result: [2, be32], dreg: [1, be32] }, 'nested'),
    // NFTA_CT_*
    ct: attrs('ct', { key: [2, be32], dreg: [1, be32], direction: [3, u8] }, 'nested'),
    // NFTA_MATCH_* and NFTA_TARGET_*: what iptables has of its own, by its name.
    match: attrs('match', { name: [1, str], info: [3, bytes] }, 'nested'),
    target: attrs('target', { name: [1, str] }, 'nested'),
    // NFTA_COUNTER_*: what it has counted is nobody's concern here.
    counter: attrs('counter', {}, 'nested'),
  },
);

/** NFTA_LIST_ELEM. */
export const expressions = list('expressions', 1, expression);
