/**
 * What nft and conntrack ask for where hostPorts are concerned, as values of our codecs.
 *
 * @module
 */
import type { Ip } from '../../src/model/ip.ts';
import { conntrackMessage, IPCTNL_MSG_CT } from '../../src/netlink/conntrack.ts';
import { chainMessage, NFPROTO, NFT_MSG, nfgenmsg } from '../../src/netlink/nftables.ts';
import {
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
import { comment, compare, type Expression, mask, nft, payload, rule, verdict } from './nft-requests.ts';
import type { RequestCase } from './request-values.ts';

const { FIRST } = NFT_REG;
const { EQ, NEQ } = NFT_CMP;
const DADDR = 16;

/** Into one of the registers of four bytes. */
function word(
  number: number,
  base: number,
  { offset, length }: { offset: number; length: number },
): Expression {
  return { kind: 'payload', data: { dreg: NFT_REG.WORD + number, base, offset, length } };
}

/** What nft keeps for itself with a map: the order of the bytes, and the types by their names. */
const TYPES_AS_WORDS = '000400000000010400000000030800040d0000000100040800040d0000000100060400000000';

/** What hostPorts are made of. */
export const NFT_PORT_REQUESTS: readonly RequestCase[] = [
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
