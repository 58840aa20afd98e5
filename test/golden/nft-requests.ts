/**
 * What nft asks for, as values of our codecs.
 *
 * @module
 */

import type { Codec, Infer } from '../../src/netlink/codec.ts';
import {
  batchMessage,
  chainMessage,
  generationMessage,
  NF_INET,
  NFNL_MSG_BATCH,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO,
  NFT_MSG,
  nfgenmsg,
  ruleMessage,
  tableMessage,
} from '../../src/netlink/nftables.ts';
import {
  type expression,
  NF_NAT_RANGE,
  NFT_CMP,
  NFT_META,
  NFT_PAYLOAD,
  NFT_REG,
  NFT_VERDICT,
} from '../../src/netlink/nftables-expressions.ts';
import { NLM_F } from '../../src/netlink/session.ts';
import type { RequestCase } from './request-values.ts';

/** One expression. */
export type Expression = Infer<typeof expression>;

const { FIRST } = NFT_REG;
const SADDR = 12;
const DADDR = 16;

/** linux/netfilter/nf_tables.h, libnftnl/udata.h: a comment as user data, type 0 and its length with the NUL. */
export function comment(text: string): string {
  const length = (text.length + 1).toString(16).padStart(2, '0');
  return `00${length}${new TextEncoder().encode(`${text}\0`).toHex()}`;
}

export function nft<T>(
  file: string,
  { type, flags = 0, codec, value }: { type: number; flags?: number; codec: Codec<T>; value: T },
): RequestCase {
  return { file: `nft-${file}`, type, flags, codec, value, answered: false };
}

function batch(file: string, type: number): RequestCase {
  const header = nfgenmsg.of({ resourceId: NFNL_SUBSYS_NFTABLES });
  return nft(file, { type, codec: batchMessage, value: { header, attrs: {} } });
}

function chain(file: string, attrs: Infer<typeof chainMessage>['attrs']): RequestCase {
  const value = { header: nfgenmsg.of({ family: NFPROTO.IPV4 }), attrs };
  return nft(file, { type: NFT_MSG.NEWCHAIN, flags: NLM_F.CREATE, codec: chainMessage, value });
}

export function rule(
  file: string,
  chain: string,
  {
    expressions,
    family = 4,
    table = `flannel-ipv${family}`,
  }: { expressions: readonly Expression[]; family?: 4 | 6; table?: string },
): RequestCase {
  const header = nfgenmsg.of({ family: family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6 });
  const value = { header, attrs: { table, chain, expressions } };
  return nft(file, {
    type: NFT_MSG.NEWRULE,
    flags: NLM_F.CREATE | NLM_F.APPEND,
    codec: ruleMessage,
    value,
  });
}

export function payload(offset: number, length: number): Expression {
  return { kind: 'payload', data: { dreg: FIRST, base: NFT_PAYLOAD.NETWORK_HEADER, offset, length } };
}

export function compare(operation: number, value: string): Expression {
  return { kind: 'cmp', data: { sreg: FIRST, operation, data: { value } } };
}

export function mask(value: string): Expression {
  const xor = { value: '00'.repeat(value.length / 2) };
  return {
    kind: 'bitwise',
    data: { sreg: FIRST, dreg: FIRST, length: value.length / 2, mask: { value }, xor },
  };
}

/** The same as nft writes it for what people have masked, and not it: with the operation NFT_BITWISE_MASK_XOR. */
function masked(value: string): Expression {
  const plain = mask(value);
  return plain.kind === 'bitwise' ? { ...plain, data: { ...plain.data, operation: 0 } } : plain;
}

export function verdict(code: number): Expression {
  return { kind: 'immediate', data: { dreg: NFT_REG.VERDICT, data: { verdict: { code } } } };
}

const { EQ, NEQ } = NFT_CMP;
const RANDOM_FULLY: Expression = { kind: 'masq', data: { flags: NF_NAT_RANGE.PROTO_RANDOM_FULLY } };

/** What traffic rules are made of. */
export const NFT_REQUESTS: readonly RequestCase[] = [
  batch('batch-begin', NFNL_MSG_BATCH.BEGIN),
  batch('batch-end', NFNL_MSG_BATCH.END),
  nft('generation-get', {
    type: NFT_MSG.GETGEN,
    codec: generationMessage,
    value: { header: nfgenmsg.of({}), attrs: {} },
  }),
  {
    ...nft('table-get', {
      type: NFT_MSG.GETTABLE,
      codec: tableMessage,
      value: { header: nfgenmsg.of({ family: NFPROTO.IPV4 }), attrs: { name: 'other' } },
    }),
    answered: true,
  },
  nft('table-add', {
    type: NFT_MSG.NEWTABLE,
    codec: tableMessage,
    value: {
      header: nfgenmsg.of({ family: NFPROTO.IPV4 }),
      attrs: { name: 'flannel-ipv4', flags: 0, userData: comment('rules for flannel-ipv4') },
    },
  }),
  nft('table-add-ipv6', {
    type: NFT_MSG.NEWTABLE,
    codec: tableMessage,
    value: {
      header: nfgenmsg.of({ family: NFPROTO.IPV6 }),
      attrs: { name: 'flannel-ipv6', flags: 0, userData: comment('rules for flannel-ipv6') },
    },
  }),
  nft('table-delete', {
    type: NFT_MSG.DELTABLE,
    codec: tableMessage,
    value: { header: nfgenmsg.of({ family: NFPROTO.IPV4 }), attrs: { name: 'flannel-ipv4' } },
  }),
  chain('chain-add-forward', {
    table: 'flannel-ipv4',
    name: 'forward',
    type: 'filter',
    policy: 1,
    hook: { number: NF_INET.FORWARD, priority: 0 },
    userData: comment('chain to accept flannel traffic'),
  }),
  chain('chain-add-postrtg', {
    table: 'flannel-ipv4',
    name: 'postrtg',
    type: 'nat',
    policy: 1,
    hook: { number: NF_INET.POST_ROUTING, priority: 100 },
    userData: comment('chain to manage traffic masquerading by flannel'),
  }),
  rule('rule-source', 'forward', {
    expressions: [payload(SADDR, 2), compare(EQ, '0a2a'), verdict(NFT_VERDICT.ACCEPT)],
  }),
  rule('rule-destination', 'forward', {
    expressions: [payload(DADDR, 4), mask('ffff8000'), compare(EQ, '0a2a0000'), verdict(NFT_VERDICT.ACCEPT)],
  }),
  rule('rule-mark', 'postrtg', {
    expressions: [
      { kind: 'meta', data: { key: NFT_META.MARK, dreg: FIRST } },
      masked('00400000'),
      compare(EQ, '00400000'),
      verdict(NFT_VERDICT.RETURN),
    ],
  }),
  rule('rule-both', 'postrtg', {
    expressions: [
      payload(SADDR, 2),
      compare(NEQ, '0a2a'),
      payload(DADDR, 3),
      compare(EQ, '0a2a01'),
      verdict(NFT_VERDICT.RETURN),
    ],
  }),
  rule('rule-masquerade', 'postrtg', {
    expressions: [
      payload(SADDR, 2),
      compare(EQ, '0a2a'),
      payload(DADDR, 4),
      mask('f0000000'),
      compare(NEQ, 'e0000000'),
      RANDOM_FULLY,
    ],
  }),
  rule('rule-masquerade-plain', 'postrtg', {
    expressions: [
      payload(SADDR, 2),
      compare(NEQ, '0a2a'),
      payload(DADDR, 2),
      compare(EQ, '0a2a'),
      { kind: 'masq', data: {} },
    ],
  }),
  rule('rule-ipv6', 'postrtg', {
    family: 6,
    expressions: [
      payload(8, 6),
      compare(EQ, 'fd4200000000'),
      payload(24, 1),
      compare(NEQ, 'ff'),
      RANDOM_FULLY,
    ],
  }),
];
