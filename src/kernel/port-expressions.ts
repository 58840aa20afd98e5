/**
 * The rules and maps of hostPorts as the kernel takes them.
 *
 * @module
 */
import {
  PORT_TABLE,
  type PortForward,
  type PortMap,
  type PortTable,
  PROTOCOL_NUMBERS,
} from '../model/host-ports.ts';
import { addressBits, type Family, type Ip, writeIp } from '../model/ip.ts';
import type { Infer } from '../netlink/codec.ts';
import { type chainMessage, NF_INET, NFPROTO } from '../netlink/nftables.ts';
import {
  NFT_CMP,
  NFT_CT,
  NFT_FIB,
  NFT_META,
  NFT_NAT,
  NFT_PAYLOAD,
  NFT_REG,
  NFT_VERDICT,
} from '../netlink/nftables-expressions.ts';
import { NFT_SET, NFT_TYPE } from '../netlink/nftables-sets.ts';
import { userDataOf } from './nft-requests.ts';
import { compared, type Expression, expressionsOf, hexOfMark, masked } from './rule-expressions.ts';

const { FIRST, LAST, WORD, VERDICT } = NFT_REG;
/** NF_IP_PRI_NAT_DST and NF_IP_PRI_NAT_SRC (`linux/netfilter_ipv4.h`). */
const DESTINATION_NAT = -100;
const SOURCE_NAT = 100;
/** `linux/rtnetlink.h`: RTN_LOCAL. */
const RTN_LOCAL = '02000000';
/** `linux/if_arp.h`: ARPHRD_LOOPBACK. */
const LOOPBACK = '0403';
/** NF_CT_STATE_BIT of IP_CT_ESTABLISHED and of IP_CT_RELATED. */
const KNOWN = 0x2 | 0x4;
/** `linux/netfilter/nf_conntrack_common.h`: IPS_DST_NAT. */
const IPS_DST_NAT = 0x20;
const NONE = '00000000';
const DESTINATION = { 4: 16, 6: 24 } as const;

/** The chain that both base chains jump to. */
const PORTS_CHAIN = 'hostports';

/** A chain with its rules. */
export interface PortChain {
  readonly name: string;
  /** Absent for one that is only jumped to. */
  readonly base?: { readonly type: string; readonly number: number; readonly priority: number };
  readonly rules: readonly (readonly Expression[])[];
}

/**
 * The chains of a table, in the order in which they are made. Ours come after kube-proxy's, which are at the usual places:
 * the reference appends its rule, so that a Service's port goes before a container's.
 */
export function chainsOf({ family, maps, masquerade, guard }: PortTable): PortChain[] {
  const nat = (number: number, priority: number) => ({ type: 'nat', number, priority });
  const jump = [[...localDestination(), verdict(NFT_VERDICT.JUMP, PORTS_CHAIN)]];
  const filter = { type: 'filter', number: NF_INET.LOCAL_IN, priority: 0 };
  const ports = [
    { name: PORTS_CHAIN, rules: maps.map((map) => forwardRule(map, family)) },
    { name: 'prerouting', base: nat(NF_INET.PRE_ROUTING, DESTINATION_NAT + 10), rules: jump },
    { name: 'output', base: nat(NF_INET.LOCAL_OUT, DESTINATION_NAT + 10), rules: jump },
  ];
  return [
    ...(maps.length > 0 ? ports : []),
    {
      name: 'postrouting',
      base: nat(NF_INET.POST_ROUTING, SOURCE_NAT - 10),
      rules: masquerade.map((rule) => expressionsOf(rule, family)),
    },
    ...(guard ? [{ name: 'guard', base: filter, rules: [guardRule()] }] : []),
  ];
}

/** The attributes of a chain. */
export function chainAttributes({ name, base }: PortChain): Infer<typeof chainMessage>['attrs'] {
  const place = { table: PORT_TABLE, name };
  if (base === undefined) return place;
  const { type, number, priority } = base;
  return { ...place, type, policy: NFT_VERDICT.ACCEPT, hook: { number, priority: priority >>> 0 } };
}

/** The attributes of a map. */
export function mapAttributes({ name, byAddress }: PortMap, { family, id }: { family: Family; id: number }) {
  const address = family === 4 ? NFT_TYPE.IPV4_ADDRESS : NFT_TYPE.IPV6_ADDRESS;
  const bytes = addressBits(family) / 8;
  const keys = byAddress
    ? [NFT_TYPE.PROTOCOL, address, NFT_TYPE.SERVICE]
    : [NFT_TYPE.PROTOCOL, NFT_TYPE.SERVICE];
  return {
    table: PORT_TABLE,
    name,
    flags: NFT_SET.MAP,
    keyType: concatenated(keys),
    keyLength: 8 + (byAddress ? bytes : 0),
    dataType: concatenated([address, NFT_TYPE.SERVICE]),
    dataLength: bytes + 4,
    id,
  };
}

/** One element of a map. */
export function elementOf({ protocol, address, port, to, toPort, comment }: PortForward) {
  const key = [byteWord(PROTOCOL_NUMBERS[protocol]), addressWords(address), portWord(port)];
  return {
    key: { value: key.join('') },
    data: { value: addressWords(to) + portWord(toPort) },
    userData: userDataOf(comment),
  };
}

function concatenated(types: readonly number[]): number {
  return types.reduce((all, type) => (all << 6) | type, 0);
}

/** Each part of a concatenation fills up four bytes. */
function byteWord(value: number): string {
  return value.toString(16).padStart(2, '0').padEnd(8, '0');
}

function portWord(port: number): string {
  return port.toString(16).padStart(4, '0').padEnd(8, '0');
}

function addressWords(ip: Ip | undefined): string {
  const bytes = new Uint8Array(16);
  return ip === undefined ? '' : bytes.subarray(0, writeIp(ip, bytes, 0)).toHex();
}

function localDestination(): Expression[] {
  const data = { flags: NFT_FIB.F_DADDR, result: NFT_FIB.RESULT_ADDRTYPE, dreg: FIRST };
  return [{ kind: 'fib', data }, compared(NFT_CMP.EQ, RTN_LOCAL)];
}

function verdict(code: number, chain?: string): Expression {
  return { kind: 'immediate', data: { dreg: VERDICT, data: { verdict: { code, chain } } } };
}

/** Looks the port up and goes no further if it is none of the map's; only then the mark is set. */
function forwardRule({ name, byAddress, mark }: PortMap, family: Family): Expression[] {
  const words = addressBits(family) / 32;
  const load = (dreg: number, base: number, place: { offset: number; length: number }): Expression => ({
    kind: 'payload',
    data: { dreg, base, ...place },
  });
  const address = { offset: DESTINATION[family], length: words * 4 };
  return [
    { kind: 'meta', data: { key: NFT_META.L4PROTO, dreg: FIRST } },
    ...(byAddress ? [load(WORD + 1, NFT_PAYLOAD.NETWORK_HEADER, address)] : []),
    load(WORD + 1 + (byAddress ? words : 0), NFT_PAYLOAD.TRANSPORT_HEADER, { offset: 2, length: 2 }),
    { kind: 'lookup', data: { sreg: FIRST, dreg: FIRST, set: name } },
    ...(mark === 0 ? [] : setMark(mark)),
    {
      kind: 'nat',
      data: {
        type: NFT_NAT.DNAT,
        family: family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6,
        addrMinReg: FIRST,
        portMinReg: family === 4 ? WORD + 1 : NFT_REG.SECOND,
      },
    },
  ];
}

/** In a register that what was looked up does not reach into. */
function setMark(mark: number): Expression[] {
  const [mask, xor] = [{ value: hexOfMark(~mark >>> 0) }, { value: hexOfMark(mark) }];
  return [
    { kind: 'meta', data: { key: NFT_META.MARK, dreg: LAST } },
    { kind: 'bitwise', data: { sreg: LAST, dreg: LAST, length: 4, mask, xor } },
    { kind: 'meta', data: { key: NFT_META.MARK, sreg: LAST } },
  ];
}

/**
 * A link whose `route_localnet` is on lets its neighbours reach what listens at 127.0.0.1 only. Nobody may come in that way
 * but answers, and what somebody has sent there on purpose.
 */
function guardRule(): Expression[] {
  const [offset, base] = [DESTINATION[4], NFT_PAYLOAD.NETWORK_HEADER];
  const none = (key: number, bits: number): Expression[] => [
    { kind: 'ct', data: { key, dreg: FIRST } },
    masked(hexOfMark(bits)),
    compared(NFT_CMP.EQ, NONE),
  ];
  return [
    { kind: 'meta', data: { key: NFT_META.IIFTYPE, dreg: FIRST } },
    compared(NFT_CMP.NEQ, LOOPBACK),
    { kind: 'payload', data: { dreg: FIRST, base, offset, length: 1 } },
    compared(NFT_CMP.EQ, '7f'),
    ...none(NFT_CT.STATE, KNOWN),
    ...none(NFT_CT.STATUS, IPS_DST_NAT),
    verdict(NFT_VERDICT.DROP),
  ];
}
