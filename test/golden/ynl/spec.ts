/**
 * The kernel's netlink specifications (`trim.ts`) as values: ids are counted, structures laid out.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { YAML } from 'bun';
import * as v from 'valibot';

const attributeSchema = v.object({
  name: v.string(),
  value: v.optional(v.number()),
  type: v.string(),
  'byte-order': v.optional(v.string()),
  'display-hint': v.optional(v.string()),
  'nested-attributes': v.optional(v.string()),
  'multi-attr': v.optional(v.boolean(), false),
});

const numbered = v.array(v.object({ name: v.string(), value: v.number() }));

const specSchema = v.object({
  name: v.string(),
  definitions: v.array(
    v.object({
      name: v.string(),
      type: v.string(),
      members: v.optional(
        v.array(
          v.object({
            name: v.string(),
            type: v.string(),
            len: v.optional(v.number(), 0),
            'byte-order': v.optional(v.string()),
          }),
        ),
        [],
      ),
      entries: v.optional(v.array(v.union([v.string(), v.object({ name: v.string() })])), []),
    }),
  ),
  'attribute-sets': v.array(v.object({ name: v.string(), attributes: v.array(attributeSchema) })),
  operations: numbered,
  'mcast-groups': numbered,
});

/** One attribute as the kernel specifies it. */
export interface SpecAttribute extends v.InferOutput<typeof attributeSchema> {
  readonly id: number;
}

/** A member of a C structure: where it begins, and as what it is read. */
export interface SpecMember {
  readonly name: string;
  readonly offset: number;
  readonly type: string;
}

/** One specification. */
export class Spec {
  readonly #spec: v.InferOutput<typeof specSchema>;

  /** @throws if there is no such file, or it is no specification */
  constructor(name: string) {
    const text = readFileSync(`${import.meta.dir}/${name}.yaml`, 'utf8');
    this.#spec = v.parse(specSchema, YAML.parse(text));
  }

  /** The attributes of a set by name. Each has the id after the one before it, if it does not say another. */
  attributes(set: string): ReadonlyMap<string, SpecAttribute> {
    let last = 0;
    const { attributes } = named(this.#spec['attribute-sets'], set);
    return new Map(
      attributes.map((each) => {
        last = each.value ?? last + 1;
        return [each.name, { ...each, id: last }];
      }),
    );
  }

  /** The members of a structure without its padding, which specifications write down. */
  members(name: string): readonly SpecMember[] {
    let offset = 0;
    return named(this.#spec.definitions, name).members.flatMap((member) => {
      const { type, len } = member;
      const start = offset;
      offset += type === 'pad' ? len : Number(type.slice(1)) / 8;
      if (type === 'pad') return [];
      return [{ name: member.name, offset: start, type: `${type}${member['byte-order'] ?? ''}` }];
    });
  }

  /** The places of the entries of an enumeration or of flags, the first being 0. */
  entries(name: string): ReadonlyMap<string, number> {
    const { entries } = named(this.#spec.definitions, name);
    return new Map(entries.map((entry, i) => [typeof entry === 'string' ? entry : entry.name, i]));
  }

  /** The numbers of requests. */
  operations(): ReadonlyMap<string, number> {
    return new Map(this.#spec.operations.map(({ name, value }) => [name, value]));
  }

  /** The numbers of multicast groups. */
  groups(): ReadonlyMap<string, number> {
    return new Map(this.#spec['mcast-groups'].map(({ name, value }) => [name, value]));
  }
}

function named<T extends { readonly name: string }>(list: readonly T[], name: string): T {
  const found = list.find((each) => each.name === name);
  if (found === undefined) throw new Error(`The specification has no ${name}`);
  return found;
}
