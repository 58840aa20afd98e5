/**
 * Our tables of attributes and members beside the kernel's, difference by difference in words.
 *
 * @module
 */
import type { AttributeTable, StructTable } from '../../../src/netlink/attributes.ts';
import type { Codec } from '../../../src/netlink/codec.ts';
import type { SpecAttribute, SpecMember } from './spec.ts';

/** What a set of ours is called there, and each of its attributes; both by our names. */
export interface Names {
  readonly spec: string;
  readonly set: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const ADDRESSES = ['ipv4', 'ipv6', 'ipv4-or-v6'];

/** Whether the kernel's attribute is what a codec of the name reads. In host order it names no byte order. */
const FITTING: Readonly<Record<string, (attribute: SpecAttribute) => boolean>> = {
  u8: isNumber('u8'),
  bool8: isNumber('u8'),
  u16: isNumber('u16'),
  u32: isNumber('u32'),
  i32: isNumber('s32'),
  be16: isNumber('u16', 'big-endian'),
  be32: isNumber('u32', 'big-endian'),
  flag: ({ type }) => type === 'flag',
  str: ({ type }) => type === 'string',
  bareStr: ({ type }) => type === 'string',
  ip: (each) => each.type === 'binary' && ADDRESSES.includes(each['display-hint'] ?? ''),
  mac: (each) => each.type === 'binary' && each['display-hint'] === 'mac',
};

/** The type of a member that a scalar codec reads. */
const MEMBER_TYPES: Readonly<Record<string, string>> = {
  u8: 'u8',
  u16: 'u16',
  u32: 'u32',
  i32: 's32',
  be16: 'u16big-endian',
  be32: 'u32big-endian',
};

/**
 * What of a table is not as specified, such as `mtu: id 5, and 4 to the kernel`; empty if all is.
 *
 * @param options.setOf gives the kernel's name of the set that a nested codec reads
 */
export function attributeDifferences(
  table: AttributeTable,
  {
    attributes,
    theirs,
    setOf,
  }: {
    readonly attributes: Readonly<Record<string, string>>;
    readonly theirs: ReadonlyMap<string, SpecAttribute>;
    readonly setOf: (codec: Codec<unknown>) => string | undefined;
  },
): string[] {
  return Object.entries(table).flatMap(([key, [id, codec]]) => {
    const their = theirs.get(attributes[key] ?? '');
    if (their === undefined) return [`${key}: not known to the kernel's specification`];
    const differences = id === their.id ? [] : [`${key}: id ${id}, and ${their.id} to the kernel`];
    const fits =
      FITTING[codec.name] ?? ((each) => isNest(each) && each['nested-attributes'] === setOf(codec));
    if (!fits(their))
      differences.push(`${key}: read as ${codec.name}, and to the kernel it is ${shown(their)}`);
    return differences;
  });
}

/** What of a structure is not as specified; its members are compared in their order. */
export function memberDifferences(table: StructTable, theirs: readonly SpecMember[]): string[] {
  let end = 0;
  const ours = Object.entries(table).map(([key, { name, sizeBytes }]) => {
    const offset = Math.ceil(end / sizeBytes) * sizeBytes;
    end = offset + sizeBytes;
    return `${key}: ${MEMBER_TYPES[name]} at ${offset}`;
  });
  return Array.from({ length: Math.max(ours.length, theirs.length) }).flatMap((_, i) => {
    const [our = 'nothing', their] = [ours[i], theirs[i]];
    const same = their !== undefined && our.endsWith(`: ${their.type} at ${their.offset}`);
    return same ? [] : [`${our}, and ${their?.name}: ${their?.type} at ${their?.offset} to the kernel`];
  });
}

function isNumber(type: string, byteOrder?: 'big-endian'): (attribute: SpecAttribute) => boolean {
  return (attribute) => attribute.type === type && attribute['byte-order'] === byteOrder;
}

/** A nest of attributes, or one whose layout another attribute names. */
function isNest({ type }: SpecAttribute): boolean {
  return type === 'nest' || type === 'sub-message';
}

function shown(each: SpecAttribute): string {
  const parts = [each.type, each['byte-order'], each['display-hint'], each['nested-attributes']];
  return parts.filter((part) => part !== undefined).join(' ');
}
