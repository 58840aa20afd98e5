/**
 * Traffic rules as the kernel's expressions, and back.
 *
 * A rule is written as nft writes it: of an address whose prefix ends with a byte only those bytes are loaded.
 *
 * @module
 */
import {
  addressBits,
  type Family,
  formatIp,
  prefixBase,
  prefixLength,
  prefixOf,
  writeIp,
} from '../model/ip.ts';
import type { AddressMatch, ForeignRule, RuleVerdict, TrafficRule } from '../model/traffic-rules.ts';
import type { Infer } from '../netlink/codec.ts';
import {
  type expression,
  NF_NAT_RANGE,
  NFT_CMP,
  NFT_META,
  NFT_PAYLOAD,
  NFT_REG,
  NFT_VERDICT,
} from '../netlink/nftables-expressions.ts';

/** One expression. */
export type Expression = Infer<typeof expression>;

const { FIRST } = NFT_REG;

/** Where the addresses are in the header of a family. */
const OFFSETS = { 4: { source: 12, destination: 16 }, 6: { source: 8, destination: 24 } } as const;

/** The rule as the kernel takes it. */
export function expressionsOf(rule: TrafficRule, family: Family): Expression[] {
  const { mark, source, destination, verdict } = rule;
  const all: Expression[] = [];
  if (mark !== undefined) {
    all.push({ kind: 'meta', data: { key: NFT_META.MARK, dreg: FIRST } });
    all.push(masked(hexOfMark(mark)), compared(NFT_CMP.EQ, hexOfMark(mark)));
  }
  if (source !== undefined) all.push(...addressExpressions(source, family, 'source'));
  if (destination !== undefined) all.push(...addressExpressions(destination, family, 'destination'));
  all.push(verdictExpression(verdict));
  return all;
}

function addressExpressions({ prefix, not }: AddressMatch, family: Family, end: 'source' | 'destination') {
  const address = new Uint8Array(addressBits(family) / 8);
  writeIp(prefixBase(prefix), address, 0);
  const bits = prefixLength(prefix);
  const isWhole = bits > 0 && bits % 8 === 0;
  const length = isWhole ? bits / 8 : address.length;
  const all: Expression[] = [
    {
      kind: 'payload',
      data: { dreg: FIRST, base: NFT_PAYLOAD.NETWORK_HEADER, offset: OFFSETS[family][end], length },
    },
  ];
  if (!isWhole) all.push(masked(maskOf(bits, length)));
  return [...all, compared(not ? NFT_CMP.NEQ : NFT_CMP.EQ, address.subarray(0, length).toHex())];
}

/** Leaves of the register what the mask has. */
export function masked(mask: string): Expression {
  const length = mask.length / 2;
  const xor = { value: '00'.repeat(length) };
  return { kind: 'bitwise', data: { sreg: FIRST, dreg: FIRST, length, mask: { value: mask }, xor } };
}

/** Goes on if the register equals the value, or with `NFT_CMP.NEQ` if it does not. */
export function compared(operation: number, value: string): Expression {
  return { kind: 'cmp', data: { sreg: FIRST, operation, data: { value } } };
}

function verdictExpression(verdict: RuleVerdict): Expression {
  switch (verdict) {
    case 'accept':
    case 'return': {
      const code = verdict === 'accept' ? NFT_VERDICT.ACCEPT : NFT_VERDICT.RETURN;
      return { kind: 'immediate', data: { dreg: NFT_REG.VERDICT, data: { verdict: { code } } } };
    }
    case 'masquerade':
      return { kind: 'masq', data: {} };
    case 'masquerade fully-random':
      return { kind: 'masq', data: { flags: NF_NAT_RANGE.PROTO_RANDOM_FULLY } };
  }
}

/** A mask of so many leading ones. */
function maskOf(bits: number, length: number): string {
  const mask = new Uint8Array(length);
  for (let bit = 0; bit < bits; bit++) mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return mask.toHex();
}

/** A mark is in host order, as everything is that is no part of a packet. */
export function hexOfMark(mark: number): string {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, mark, true);
  return bytes.toHex();
}

/** What was loaded into the register, and what of it a mask has left. */
interface Loaded {
  readonly field: 'mark' | 'source' | 'destination';
  readonly length: number;
  readonly mask: string | undefined;
}

/** What is known of a rule half-way through its expressions. */
interface Reading {
  readonly family: Family;
  loaded: Loaded | undefined;
  rule: Partial<TrafficRule>;
}

/**
 * The rule that expressions make. Counters are overlooked; if there is anything else that no rule of ours has, the whole
 * is a rule of somebody else.
 */
export function ruleOf(expressions: readonly Expression[], family: Family): TrafficRule | ForeignRule {
  const reading: Reading = { family, loaded: undefined, rule: {} };
  const foreign = { foreign: `a rule of another kind: ${JSON.stringify(expressions)}` };
  for (const each of expressions)
    if (each.kind !== 'counter' && !(reading.rule.verdict === undefined && take(reading, each)))
      return foreign;
  const { verdict, ...rest } = reading.rule;
  return verdict === undefined ? foreign : { ...rest, verdict };
}

/** Takes one expression in; false if it says what no rule of ours does. */
function take(reading: Reading, each: Expression): boolean {
  switch (each.kind) {
    case 'meta':
      reading.loaded = { field: 'mark', length: 4, mask: undefined };
      return each.data?.key === NFT_META.MARK && each.data.dreg === FIRST;
    case 'payload': {
      const { dreg, base, offset, length = 0 } = each.data ?? {};
      const { source } = OFFSETS[reading.family];
      reading.loaded = { field: offset === source ? 'source' : 'destination', length, mask: undefined };
      const isAddress = offset === source || offset === OFFSETS[reading.family].destination;
      return isAddress && dreg === FIRST && base === NFT_PAYLOAD.NETWORK_HEADER;
    }
    case 'bitwise': {
      const { sreg, dreg, operation = 0, mask, xor } = each.data ?? {};
      if (reading.loaded === undefined || reading.loaded.mask !== undefined) return false;
      reading.loaded = { ...reading.loaded, mask: mask?.value };
      return sreg === FIRST && dreg === FIRST && operation === 0 && /^0*$/.test(xor?.value ?? '1');
    }
    case 'cmp':
      return takeComparison(reading, each.data);
    case 'immediate':
    case 'masq': {
      const verdict = verdictOf(each);
      if (verdict !== undefined) reading.rule = { ...reading.rule, verdict };
      return verdict !== undefined && reading.loaded === undefined;
    }
    default:
      return false;
  }
}

function takeComparison(reading: Reading, data: Extract<Expression, { kind: 'cmp' }>['data']): boolean {
  const { loaded, family, rule } = reading;
  const { sreg, operation, data: { value = '' } = {} } = data ?? {};
  if (loaded === undefined || sreg !== FIRST || rule[loaded.field] !== undefined) return false;
  reading.loaded = undefined;
  if (operation !== NFT_CMP.EQ && operation !== NFT_CMP.NEQ) return false;
  if (value.length !== loaded.length * 2) return false;
  if (loaded.field === 'mark') {
    const mark = new DataView(Uint8Array.fromHex(value).buffer).getUint32(0, true);
    reading.rule = { ...rule, mark };
    return operation === NFT_CMP.EQ && loaded.mask === value;
  }
  const size = addressBits(family) / 8;
  const bits = loaded.mask === undefined ? loaded.length * 8 : onesOf(loaded.mask);
  if (loaded.length > size || (loaded.mask !== undefined && maskOf(bits, loaded.length) !== loaded.mask))
    return false;
  const address = Uint8Array.fromHex(value.padEnd(size * 2, '0'));
  const ip = formatIp(address, 0, size);
  const prefix = prefixOf(ip, bits);
  // What a mask has taken away can equal nothing.
  if (prefixBase(prefix) !== ip) return false;
  reading.rule = { ...rule, [loaded.field]: { prefix, not: operation === NFT_CMP.NEQ } };
  return true;
}

function onesOf(mask: string): number {
  let ones = 0;
  for (const byte of Uint8Array.fromHex(mask)) for (let rest = byte; rest > 0; rest &= rest - 1) ones++;
  return ones;
}

function verdictOf(each: Expression): RuleVerdict | undefined {
  if (each.kind === 'masq') {
    const { flags = 0, portMinReg, portMaxReg } = each.data ?? {};
    if (portMinReg !== undefined || portMaxReg !== undefined) return undefined;
    if (flags === 0) return 'masquerade';
    return flags === NF_NAT_RANGE.PROTO_RANDOM_FULLY ? 'masquerade fully-random' : undefined;
  }
  if (each.kind !== 'immediate' || each.data?.dreg !== NFT_REG.VERDICT) return undefined;
  const code = each.data.data?.verdict?.code;
  if (code === NFT_VERDICT.ACCEPT) return 'accept';
  return code === NFT_VERDICT.RETURN ? 'return' : undefined;
}
