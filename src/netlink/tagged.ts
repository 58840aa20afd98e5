/**
 * Attribute sets in which one attribute names the layout of another (the kernel's specification calls them
 * sub-messages): `IFLA_LINKINFO` now, nftables expressions alike.
 *
 * @module
 */
import { type Codec, type Infer, readText, writeText } from './codec.ts';
import { NLA_F_NESTED, NLA_HDRLEN, type Reader } from './wire.ts';

/** The value of {@link tagged}: a union discriminated by `kind`; kinds not in the table read as `unknown`. */
export type TaggedOf<T extends Readonly<Record<string, Codec<unknown>>>> =
  | { readonly [K in keyof T]: { readonly kind: K; readonly data?: Infer<T[K]> | undefined } }[keyof T]
  | { readonly kind: 'unknown'; readonly name: string };

/** Where {@link tagged} finds the name of the kind and the data. */
export interface TagIds {
  readonly kindId: number;
  readonly dataId: number;
  /** As iproute2 writes it, if absent; libnftnl ends the name with a NUL and marks the set as a nest. */
  readonly form?: 'libnftnl';
}

/** A codec that lists its kinds. */
export interface TaggedCodec<T extends Readonly<Record<string, Codec<unknown>>>> extends Codec<TaggedOf<T>> {
  readonly ids: TagIds;
  readonly kinds: T;
}

/** An attribute set in which one attribute names the layout of another, as `IFLA_LINKINFO`. */
export function tagged<const T extends Readonly<Record<string, Codec<unknown>>>>(
  name: string,
  ids: TagIds,
  table: T,
): TaggedCodec<T> {
  const kinds = new Map(Object.entries(table));
  return {
    name,
    ids,
    kinds: table,
    typeFlags: ids.form === 'libnftnl' ? NLA_F_NESTED : 0,
    write(writer, value) {
      const tag: { kind: PropertyKey; name?: string; data?: unknown } = value;
      const kind = tag.kind === 'unknown' ? (tag.name ?? '') : String(tag.kind);
      const start = writer.openAttribute(ids.kindId);
      writeText(writer, kind, ids.form === 'libnftnl' ? 1 : 0);
      writer.closeAttribute(start);
      const codec = kinds.get(kind);
      if (codec === undefined || tag.data === undefined) return;
      const data = writer.openAttribute(ids.dataId | codec.typeFlags);
      codec.write(writer, tag.data);
      writer.closeAttribute(data);
    },
    read(reader) {
      const { end } = reader;
      const kind = readKind(reader, ids.kindId);
      const codec = kinds.get(kind);
      let out: unknown = { kind: 'unknown', name: kind };
      if (codec !== undefined)
        out = enter(reader, ids.dataId) ? { kind, data: codec.read(reader) } : { kind };
      reader.at = end;
      reader.end = end;
      return out as TaggedOf<T>;
    },
    locate(reader, offset) {
      const { at, end } = reader;
      const kind = readKind(reader, ids.kindId);
      if (enter(reader, ids.dataId) && offset >= reader.at - NLA_HDRLEN && offset < reader.end)
        return `.${kind}${offset >= reader.at ? (kinds.get(kind)?.locate(reader, offset) ?? '') : ''}`;
      reader.at = at;
      reader.end = end;
      return enter(reader, ids.kindId) && offset < reader.end ? '.kind' : '';
    },
  };
}

/** Narrows the reader to the attribute of type `id`; false, and the reader as it was, if there is none. */
function enter(reader: Reader, id: number): boolean {
  const { at, end } = reader;
  for (let next = reader.nextAttribute(end); next >= 0; next = reader.nextAttribute(end)) {
    if (reader.attributeType === id) return true;
    reader.at = next;
    reader.end = end;
  }
  reader.at = at;
  return false;
}

/** Reads the name of the kind and leaves the reader as it was. */
function readKind(reader: Reader, id: number): string {
  const { at, end } = reader;
  const kind = enter(reader, id) ? readText(reader) : '';
  reader.at = at;
  reader.end = end;
  return kind;
}
