/**
 * Attribute sets, structures and messages as tables: one line an attribute, types inferred. Key order is
 * encode order. Unknown attributes are skipped when reading; absent ones are absent, never a sentinel.
 *
 * @module
 */
import type { Codec, Infer, Scalar } from './codec.ts';
import { NLA_F_NESTED, type Reader } from './wire.ts';

/** Attribute name to kernel id and payload. */
export type AttributeTable = Readonly<Record<string, readonly [id: number, codec: Codec<unknown>]>>;

/** What {@link attrs} of a table holds. */
export type AttributesOf<T extends AttributeTable> = { readonly [K in keyof T]?: Infer<T[K][1]> | undefined };

/** A codec that lists its attributes. */
export interface AttributesCodec<T extends AttributeTable> extends Codec<AttributesOf<T>> {
  readonly table: T;
}

/** A sequence of attributes as a payload of its own; `nested` sets NLA_F_NESTED, as newer families require. */
export function attrs<const T extends AttributeTable>(
  name: string,
  table: T,
  nested: 'plain' | 'nested' = 'plain',
): AttributesCodec<T> {
  const entries = Object.entries(table).map(([key, [id, codec]]) => ({ key, id, codec }));
  const byId: ((typeof entries)[number] | undefined)[] = [];
  for (const entry of entries) {
    if (byId[entry.id] !== undefined) throw new Error(`Attribute id ${entry.id} twice in ${name}`);
    byId[entry.id] = entry;
  }
  return {
    name,
    table,
    typeFlags: nested === 'nested' ? NLA_F_NESTED : 0,
    write(writer, value) {
      const values: Readonly<Record<string, unknown>> = value;
      for (const { key, id, codec } of entries) {
        const item = values[key];
        if (item === undefined) continue;
        const start = writer.openAttribute(id | codec.typeFlags);
        codec.write(writer, item);
        writer.closeAttribute(start);
      }
    },
    read(reader) {
      const out: Record<string, unknown> = {};
      const end = reader.end;
      for (let next = reader.nextAttribute(end); next >= 0; next = reader.nextAttribute(end)) {
        const entry = byId[reader.attributeType];
        if (entry !== undefined) out[entry.key] = entry.codec.read(reader);
        reader.at = next;
        reader.end = end;
      }
      return out as AttributesOf<T>;
    },
    locate(reader, offset) {
      if (!seek(reader, offset)) return '';
      const entry = byId[reader.attributeType];
      if (entry === undefined) return `.#${reader.attributeType}`;
      const below = offset >= reader.at ? entry.codec.locate(reader, offset) : '';
      return `.${entry.key}${below}`;
    },
  };
}

/** Narrows the reader to the attribute that holds byte `offset`; false if none does. */
function seek(reader: Reader, offset: number): boolean {
  const end = reader.end;
  if (offset < reader.at) return false;
  for (let next = reader.nextAttribute(end); next >= 0; next = reader.nextAttribute(end)) {
    if (offset < next) return true;
    reader.at = next;
    reader.end = end;
  }
  return false;
}

/** A codec that says what its elements are. */
export interface ListCodec<T> extends Codec<readonly T[]> {
  readonly elementId: number;
  readonly element: Codec<T>;
}

/** Like attributes in a row inside one nest, all of the type `elementId`; others among them are skipped. */
export function list<T>(name: string, elementId: number, element: Codec<T>): ListCodec<T> {
  return {
    name,
    elementId,
    element,
    typeFlags: NLA_F_NESTED,
    write(writer, values) {
      for (const value of values) {
        const start = writer.openAttribute(elementId | element.typeFlags);
        element.write(writer, value);
        writer.closeAttribute(start);
      }
    },
    read(reader) {
      const out: T[] = [];
      const end = reader.end;
      for (let next = reader.nextAttribute(end); next >= 0; next = reader.nextAttribute(end)) {
        if (reader.attributeType === elementId) out.push(element.read(reader));
        reader.at = next;
        reader.end = end;
      }
      return out;
    },
    locate(reader, offset) {
      const end = reader.end;
      let index = 0;
      for (let next = reader.nextAttribute(end); next >= 0; next = reader.nextAttribute(end)) {
        if (offset < next) return `[${index}]${offset >= reader.at ? element.locate(reader, offset) : ''}`;
        reader.at = next;
        reader.end = end;
        index++;
      }
      return '';
    },
  };
}

/** C structure members by name, in order, each aligned to its own size as C does. */
export type StructTable = Readonly<Record<string, Scalar>>;

/** The value type of {@link struct}. */
export type StructOf<T extends StructTable> = { readonly [K in keyof T]: number };

/** A codec that lists its members, knows its size and fills in zeros. */
export interface StructCodec<T extends StructTable> extends Codec<StructOf<T>> {
  readonly members: T;
  readonly sizeBytes: number;
  /** The structure with the given members set and all others zero. */
  of(members: Partial<StructOf<T>>): StructOf<T>;
}

/** A C structure of integers. */
export function struct<const T extends StructTable>(name: string, table: T): StructCodec<T> {
  let offset = 0;
  const placed = Object.entries(table).map(([key, codec]) => {
    offset = Math.ceil(offset / codec.sizeBytes) * codec.sizeBytes;
    const member = { key, codec, offset };
    offset += codec.sizeBytes;
    return member;
  });
  const sizeBytes = Math.ceil(offset / 4) * 4;
  return {
    name,
    members: table,
    sizeBytes,
    typeFlags: 0,
    of(given) {
      const out: Record<string, number> = {};
      for (const { key } of placed) out[key] = given[key] ?? 0;
      return out as StructOf<T>;
    },
    write(writer, value) {
      const start = writer.skip(sizeBytes);
      const after = writer.at;
      for (const member of placed) {
        writer.at = start + member.offset;
        member.codec.write(writer, value[member.key] ?? 0);
      }
      writer.at = after;
    },
    read(reader) {
      const start = reader.take(sizeBytes);
      const after = reader.at;
      const out: Record<string, number> = {};
      for (const member of placed) {
        reader.at = start + member.offset;
        out[member.key] = member.codec.read(reader);
      }
      reader.at = after;
      return out as StructOf<T>;
    },
    locate: () => '',
  };
}

/** A fixed header and the attributes behind it: the payload of a netlink message. */
export interface MessageCodec<H extends StructTable, A extends AttributeTable>
  extends Codec<{ readonly header: StructOf<H>; readonly attrs: AttributesOf<A> }> {
  readonly header: StructCodec<H>;
  readonly attrs: AttributesCodec<A>;
}

/** Describes a message. */
export function message<H extends StructTable, A extends AttributeTable>(
  name: string,
  header: StructCodec<H>,
  body: AttributesCodec<A>,
): MessageCodec<H, A> {
  return {
    name,
    header,
    attrs: body,
    typeFlags: 0,
    write(writer, value) {
      header.write(writer, value.header);
      body.write(writer, value.attrs);
    },
    read: (reader) => ({ header: header.read(reader), attrs: body.read(reader) }),
    locate(reader, offset) {
      reader.take(header.sizeBytes);
      return body.locate(reader, offset);
    },
  };
}
