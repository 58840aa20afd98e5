/** The tables of the codecs against the kernel's own netlink specifications, and captures where there are none. */
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import type { AttributeTable, StructTable } from '../../src/netlink/attributes.ts';
import { be16, be32, type Codec, type Scalar, u16, u32 } from '../../src/netlink/codec.ts';
import { featuresMessage } from '../../src/netlink/ethtool.ts';
import { controlMessage } from '../../src/netlink/generic.ts';
import {
  addressMessage,
  IFA_F,
  IFF,
  linkMessage,
  NTF_SELF,
  NUD_PERMANENT,
  neighbourMessage,
  RTM,
  RTMGRP,
  RTN_UNICAST,
  routeMessage,
} from '../../src/netlink/route.ts';
import { attributeDifferences, memberDifferences, type Names } from './ynl/compare.ts';
import { EXCEPTIONS, NAMES, STRUCTS, UNSPECIFIED } from './ynl/names.ts';
import { Spec } from './ynl/spec.ts';

const MESSAGES = [
  linkMessage,
  addressMessage,
  routeMessage,
  neighbourMessage,
  controlMessage,
  featuresMessage,
];

/** A table of attributes, of whatever kind the codec is that has it. */
interface Found {
  readonly name: string;
  readonly table: AttributeTable;
}

const sets = new Map<string, Found>();
const structs = new Map<string, StructTable>();
for (const message of MESSAGES) collect(message);

/** Finds all tables below a codec. */
function collect(codec: Codec<unknown>): void {
  const parts = codec as Codec<unknown> & {
    readonly header?: Codec<unknown> & { readonly members: StructTable };
    readonly attrs?: Codec<unknown>;
    readonly table?: AttributeTable;
    readonly ids?: { readonly kindId: number; readonly dataId: number };
    readonly kinds?: Readonly<Record<string, Codec<unknown>>>;
    readonly elementId?: number;
    readonly element?: Codec<unknown>;
  };
  const { header, attrs, ids, kinds = {}, elementId, element } = parts;
  if (header !== undefined) structs.set(header.name, header.members);
  let { table } = parts;
  if (ids !== undefined) table = { kindId: [ids.kindId, named('str')], dataId: [ids.dataId, named('kind')] };
  if (element !== undefined) table = { element: [elementId ?? 0, element] };
  if (table !== undefined) sets.set(codec.name, { name: codec.name, table });
  const below = [attrs, ...Object.values(kinds), ...Object.values(table ?? {}).map(([, each]) => each)];
  for (const each of below) if (each !== undefined && each.name !== 'kind') collect(each);
}

/** Stands for what has no codec of its own. */
function named(name: string): Codec<unknown> {
  return { name, typeFlags: 0, write: () => undefined, read: () => undefined, locate: () => '' };
}

function differences({ spec, set, attributes }: Names, table: AttributeTable): string[] {
  const theirs = new Spec(spec).attributes(set);
  return attributeDifferences(table, { attributes, theirs, setOf: (codec) => NAMES[codec.name]?.set });
}

describe('the kernel specifies', () => {
  test('every set and structure, unless it is said that it does not', () => {
    const known = (name: string) => name in NAMES || name in STRUCTS || name in UNSPECIFIED;
    expect([...sets.keys(), ...structs.keys()].filter((name) => !known(name))).toEqual([]);
    const ours = (name: string) => sets.has(name) || structs.has(name);
    expect(Object.keys({ ...NAMES, ...STRUCTS, ...UNSPECIFIED }).filter((name) => !ours(name))).toEqual([]);
  });

  test('id, type, width and byte order of every attribute as our tables have them', () => {
    const found = Object.entries(NAMES).flatMap(([name, names]) =>
      differences(names, sets.get(name)?.table ?? {}).map((difference) => `${name}.${difference}`),
    );
    expect(found.toSorted()).toEqual(Object.keys(EXCEPTIONS).toSorted());
  });

  test.each(Object.entries(STRUCTS))('struct %s as we lay it out', (name, spec) => {
    expect(memberDifferences(structs.get(name) ?? {}, new Spec(spec).members(name))).toEqual([]);
  });

  test('the numbers of messages and multicast groups', () => {
    const specs = ['rt-link', 'rt-addr', 'rt-route', 'rt-neigh'].map((name) => new Spec(name));
    const operations = new Map(specs.flatMap((spec) => [...spec.operations()]));
    for (const [name, type] of Object.entries(RTM))
      expect([name, operations.get(name.toLowerCase())]).toEqual([name, type]);
    const groups = new Map(specs.flatMap((spec) => [...spec.groups()]));
    for (const [name, bit] of Object.entries(RTMGRP)) {
      const group = groups.get(`rtnlgrp-${name.toLowerCase().replaceAll('_', '-')}`) ?? 0;
      expect([name, 2 ** (group - 1)]).toEqual([name, bit]);
    }
  });

  test('the numbers of flags and kinds', () => {
    const flag = (spec: string, definition: string, name: string) =>
      2 ** (new Spec(spec).entries(definition).get(name.toLowerCase()) ?? Number.NaN);
    for (const [name, bit] of Object.entries(IFA_F))
      if (bit !== IFA_F.SECONDARY) expect([name, flag('rt-addr', 'ifa-flags', name)]).toEqual([name, bit]);
    for (const [name, bit] of Object.entries(IFF))
      expect([name, flag('rt-link', 'ifinfo-flags', name)]).toEqual([name, bit]);
    expect(flag('rt-neigh', 'nud-state', 'permanent')).toBe(NUD_PERMANENT);
    expect(flag('rt-neigh', 'ntf-flags', 'self')).toBe(NTF_SELF);
    expect(new Spec('rt-route').entries('rtm-type').get('unicast')).toBe(RTN_UNICAST);
  });
});

describe('a slip in a table is found', () => {
  const { link = { spec: '', set: '', attributes: {} } } = NAMES;
  const table = { ...sets.get('link')?.table };
  const mtu = 'mtu: read as be32, and to the kernel it is u32';
  const state = 'operState: read as u32, and to the kernel it is u8';

  test.each([
    ['a wrong id', { mtu: [5, u32] }, ['mtu: id 5, and 4 to the kernel']],
    ['a wrong byte order', { mtu: [4, be32] }, [mtu]],
    ['a wrong width', { operState: [16, u32] }, [state]],
    [
      'the layout of another',
      { linkInfo: [18, featuresMessage.attrs] },
      ['linkInfo: read as features, and to the kernel it is nest linkinfo-attrs'],
    ],
    ['a name that is none', { speed: [4, u32] }, ["speed: not known to the kernel's specification"]],
  ] as const)('%s', (_, slip, found) => {
    expect(differences(link, { ...table, ...slip })).toEqual([...found]);
  });

  test('host order where the kernel says big-endian, as for the port of geneve', () => {
    const geneve: Names = { spec: 'rt-link', set: 'linkinfo-geneve-attrs', attributes: { port: 'port' } };
    expect(differences(geneve, { port: [5, be16] })).toEqual([]);
    const slip = 'port: read as u16, and to the kernel it is u16 big-endian';
    expect(differences(geneve, { port: [5, u16] })).toEqual([slip]);
  });

  test('a member of a structure', () => {
    const rightly = structs.get('ndmsg') ?? {};
    const theirs = new Spec('rt-neigh').members('ndmsg');
    expect(memberDifferences({ ...rightly, ifindex: be32 }, theirs)).toHaveLength(1);
    const { state: _, ...less }: Readonly<Record<string, Scalar>> = rightly;
    expect(memberDifferences(less, theirs).length).toBeGreaterThan(0);
  });
});

/** What an attribute was seen as, by the kernel's name for it. */
interface Seen {
  readonly id: number;
  readonly payloads: Set<number>;
}

/** All attributes of the captures: `08 00 03 00   #     IFLA_VXLAN_LINK`. */
function seenAttributes(): ReadonlyMap<string, Seen> {
  const seen = new Map<string, Seen>();
  for (const folder of ['requests', 'replies'])
    for (const file of readdirSync(`${import.meta.dir}/${folder}`).filter((each) => each.endsWith('.txt')))
      for (const [, length = '', type = '', name = ''] of readFileSync(
        `${import.meta.dir}/${folder}/${file}`,
        'utf8',
      ).matchAll(/^((?:[\da-f]{2} ){2})((?:[\da-f]{2} ?){2})\s+#\s+([A-Z][A-Z\d_]+)$/gm)) {
        const id = littleEndian(type) & 0x3fff;
        const before = seen.get(name) ?? { id, payloads: new Set() };
        before.payloads.add(littleEndian(length) - 4);
        expect([name, id]).toEqual([name, before.id]);
        seen.set(name, before);
      }
  return seen;
}

function littleEndian(hex: string): number {
  const [low = '', high = ''] = hex.trim().split(' ');
  return Number.parseInt(high + low, 16);
}

const PAYLOADS: Readonly<Record<string, readonly number[]>> = {
  u8: [1],
  bool8: [1],
  be16: [2],
  u32: [4],
  flag: [0],
  ip: [4, 16],
};

test('ids and widths of what no specification has are those of the captures', () => {
  const seen = seenAttributes();
  const differing = Object.entries(UNSPECIFIED).flatMap(([set, prefix]) =>
    Object.entries(sets.get(set)?.table ?? {}).flatMap(([key, [id, codec]]) => {
      const name = prefix + key.replaceAll(/(?<=[a-z\d])[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
      const { id: theirs, payloads = [] } = seen.get(name) ?? {};
      const odd = [...payloads].filter((bytes) => PAYLOADS[codec.name]?.includes(bytes) === false);
      return theirs === id && odd.length === 0
        ? []
        : [`${name}: ${id} as ${codec.name}, seen ${theirs} with ${odd}`];
    }),
  );
  expect(differing).toEqual([]);
});
