/**
 * What nft asks for, as values of our codecs.
 *
 * @module
 */

import type { Ip } from '../../src/model/ip.ts';
import type { Codec, Infer } from '../../src/netlink/codec.ts';
import { conntrackMessage, IPCTNL_MSG_CT } from '../../src/netlink/conntrack.ts';
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
  NFT_CT,
  NFT_FIB,
  NFT_META,
  NFT_NAT,
  NFT_PAYLOAD,
  NFT_REG,
  NFT_VERDICT,
} from '../../src/netlink/nftables-expressions.ts';
import { elementsMessage, NFT_SET, NFT_TYPE, setMessage } from '../../src/netlink/nftables-sets.ts';
import { NLM_F } from '../../src/netlink/session.ts';
import type { RequestCase } from './request-values.ts';

type Expression = Infer<typeof expression>;

const { FIRST } = NFT_REG;
const SADDR = 12;
const DADDR = 16;

/** linux/netfilter/nf_tables.h, libnftnl/udata.h: a comment as user data, type 0 and its length with the NUL. */
function comment(text: string): string {
  const length = (text.length + 1).toString(16).padStart(2, '0');
  return `00${length}${new TextEncoder().encode(`${text}\0`).toHex()}`;
}

function nft<T>(
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

function rule(
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

function payload(offset: number, length: number): Expression {
  return { kind: 'payload', data: { dreg: FIRST, base: NFT_PAYLOAD.NETWORK_HEADER, offset, length } };
}

/** Into one of the registers of four bytes. */
function word(
  number: number,
  base: number,
  { offset, length }: { offset: number; length: number },
): Expression {
  return { kind: 'payload', data: { dreg: NFT_REG.WORD + number, base, offset, length } };
}

function compare(operation: number, value: string): Expression {
  return { kind: 'cmp', data: { sreg: FIRST, operation, data: { value } } };
}

function mask(value: string): Expression {
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

function verdict(code: number): Expression {
  return { kind: 'immediate', data: { dreg: NFT_REG.VERDICT, data: { verdict: { code } } } };
}

const { EQ, NEQ } = NFT_CMP;
const RANDOM_FULLY: Expression = { kind: 'masq', data: { flags: NF_NAT_RANGE.PROTO_RANDOM_FULLY } };

/** What nft keeps for itself with a map: the order of the bytes, and the types by their names. */
const TYPES_AS_WORDS = '000400000000010400000000030800040d0000000100040800040d0000000100060400000000';

/** Every file `requests/nft-*`. */
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

  nft('map-by-port', {
    type: NFT_MSG.NEWSET,
    flags: NLM_F.CREATE,
    codec: setMessage,
    value: {
      header: nfgenmsg.of({ family: NFPROTO.IPV4 }),
      attrs: {
        table: 'ports',
        name: 'by-port',
        flags: NFT_SET.MAP,
        keyType: (NFT_TYPE.PROTOCOL << 6) | NFT_TYPE.SERVICE,
        keyLength: 8,
        dataType: (NFT_TYPE.IPV4_ADDRESS << 6) | NFT_TYPE.SERVICE,
        dataLength: 8,
        id: 1,
        userData: TYPES_AS_WORDS,
      },
    },
  }),
  nft('map-by-address-ipv6', {
    type: NFT_MSG.NEWSET,
    flags: NLM_F.CREATE,
    codec: setMessage,
    value: {
      header: nfgenmsg.of({ family: NFPROTO.IPV6 }),
      attrs: {
        table: 'ports',
        name: 'by-address',
        flags: NFT_SET.MAP,
        keyType: (NFT_TYPE.PROTOCOL << 12) | (NFT_TYPE.IPV6_ADDRESS << 6) | NFT_TYPE.SERVICE,
        keyLength: 24,
        dataType: (NFT_TYPE.IPV6_ADDRESS << 6) | NFT_TYPE.SERVICE,
        dataLength: 20,
        id: 1,
        userData: TYPES_AS_WORDS,
      },
    },
  }),
  nft('elements', {
    type: NFT_MSG.NEWSETELEM,
    flags: NLM_F.CREATE,
    codec: elementsMessage,
    value: {
      header: nfgenmsg.of({ family: NFPROTO.IPV4 }),
      attrs: {
        table: 'ports',
        set: 'by-port',
        id: 1,
        elements: [
          {
            key: { value: '060000001f900000' },
            data: { value: '0a2a010200500000' },
            userData: comment('pod-1 eth0'),
          },
        ],
      },
    },
  }),
  nft('elements-ipv6', {
    type: NFT_MSG.NEWSETELEM,
    flags: NLM_F.CREATE,
    codec: elementsMessage,
    value: {
      header: nfgenmsg.of({ family: NFPROTO.IPV6 }),
      attrs: {
        table: 'ports',
        set: 'by-address',
        id: 2,
        elements: [
          {
            key: { value: `06000000${'fd'.padEnd(30, '0')}011f900000` },
            data: { value: `${'fd42'.padEnd(30, '0')}0200500000` },
          },
        ],
      },
    },
  }),
  nft('chain-add-plain', {
    type: NFT_MSG.NEWCHAIN,
    flags: NLM_F.CREATE,
    codec: chainMessage,
    value: { header: nfgenmsg.of({ family: NFPROTO.IPV4 }), attrs: { table: 'ports', name: 'hostports' } },
  }),
  rule('rule-map', 'hostports', {
    table: 'ports',
    expressions: [
      { kind: 'meta', data: { key: NFT_META.L4PROTO, dreg: FIRST } },
      word(1, NFT_PAYLOAD.TRANSPORT_HEADER, { offset: 2, length: 2 }),
      { kind: 'lookup', data: { sreg: FIRST, dreg: FIRST, set: 'by-port', setId: 1 } },
      {
        kind: 'nat',
        data: { type: NFT_NAT.DNAT, family: NFPROTO.IPV4, addrMinReg: FIRST, portMinReg: NFT_REG.WORD + 1 },
      },
    ],
  }),
  rule('rule-map-ipv6', 'hostports', {
    family: 6,
    table: 'ports',
    expressions: [
      { kind: 'meta', data: { key: NFT_META.L4PROTO, dreg: FIRST } },
      word(1, NFT_PAYLOAD.NETWORK_HEADER, { offset: 24, length: 16 }),
      word(5, NFT_PAYLOAD.TRANSPORT_HEADER, { offset: 2, length: 2 }),
      { kind: 'lookup', data: { sreg: FIRST, dreg: FIRST, set: 'by-address', setId: 2 } },
      {
        kind: 'nat',
        data: { type: NFT_NAT.DNAT, family: NFPROTO.IPV6, addrMinReg: FIRST, portMinReg: NFT_REG.SECOND },
      },
    ],
  }),
  rule('rule-set-mark', 'hostports', {
    table: 'ports',
    expressions: [
      { kind: 'meta', data: { key: NFT_META.MARK, dreg: FIRST } },
      {
        kind: 'bitwise',
        data: {
          sreg: FIRST,
          dreg: FIRST,
          operation: 0,
          length: 4,
          mask: { value: 'ffdfffff' },
          xor: { value: '00200000' },
        },
      },
      { kind: 'meta', data: { key: NFT_META.MARK, sreg: FIRST } },
    ],
  }),
  rule('rule-local', 'hostports', {
    table: 'ports',
    expressions: [
      { kind: 'fib', data: { flags: NFT_FIB.F_DADDR, result: NFT_FIB.RESULT_ADDRTYPE, dreg: FIRST } },
      compare(EQ, '02000000'),
      {
        kind: 'immediate',
        data: {
          dreg: NFT_REG.VERDICT,
          data: { verdict: { code: NFT_VERDICT.JUMP, chain: 'other' } },
        },
      },
    ],
  }),
  rule('rule-guard', 'hostports', {
    table: 'ports',
    expressions: [
      { kind: 'meta', data: { key: NFT_META.IIFTYPE, dreg: FIRST } },
      compare(NEQ, '0403'),
      payload(DADDR, 1),
      compare(EQ, '7f'),
      { kind: 'ct', data: { key: NFT_CT.STATE, dreg: FIRST } },
      mask('08000000'),
      compare(NEQ, '00000000'),
      verdict(NFT_VERDICT.DROP),
    ],
  }),
  {
    ...nft('conntrack-get', {
      type: IPCTNL_MSG_CT.GET,
      codec: conntrackMessage,
      value: {
        header: nfgenmsg.of({ family: NFPROTO.IPV4 }),
        attrs: {
          orig: {
            addresses: { src4: '192.168.1.2' as Ip, dst4: '192.168.1.1' as Ip },
            protocol: { number: 17, srcPort: 1024, dstPort: 53 },
          },
        },
      },
    }),
    answered: true,
  },
];
