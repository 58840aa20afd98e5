/**
 * Attribute sets in which one attribute names the layout of another (the kernel's specification calls them
 * sub-messages): `IFLA_LINKINFO` now, nftables expressions alike.
 *
 * @module
 */
import { type Codec, type Infer, readText, writeText } from './codec.ts';
import { NLA_HDRLEN, type Reader } from './wire.ts';

/** The value of {@link tagged}: a union discriminated by `kind`; kinds not in the table read as `unknown`. */
export type TaggedOf<T extends Readonly<Record<string, Codec<unknown>>>> =
  | { readonly [K in keyof T]: { readonly kind: K; readonly data?: Infer<T[K]> | undefined } }[keyof T]
  | { readonly kind: 'unknown'; readonly name: string };

/** Where {@link tagged} finds the name of the kind and the data. */
export interface TagIds {
  readonly kindId: number;
  readonly dataId: number;
}

/** An attribute set in which one attribute names the layout of another, as `IFLA_LINKINFO`. */
export function tagged<const T extends Readonly<Record<string, Codec<unknown>>>>(
  name: string,
  ids: TagIds,
  table: T,
): Codec<TaggedOf<T>> {
  const kinds: Readonly<Record<string, Codec<unknown> | undefined>> = table;
  const find = (reader: Reader, id: number) => {
    const { at, end } = reader;
    for (let next = reader.nextAttribute(end); next >= 0; next = reader.nextAttribute(end)) {
      if (reader.attributeType === id) return { at, end };
      reader.at = next;
      reader.end = end;
    }
    reader.at = at;
    return undefined;
  };
  const readKind = (reader: Reader): string => {
    const outer = find(reader, ids.kindId);
    if (outer === undefined) return '';
    const kind = readText(reader);
    reader.at = outer.at;
    reader.end = outer.end;
    return kind;
  };
  return {
    name,
    typeFlags: 0,
    write(writer, value) {
      const tag: { kind: PropertyKey; data?: unknown } = value;
      const start = writer.openAttribute(ids.kindId);
      writeText(writer, String(tag.kind), 0);
      writer.closeAttribute(start);
      const codec = kinds[String(tag.kind)];
      if (codec === undefined || tag.data === undefined) return;
      const data = writer.openAttribute(ids.dataId | codec.typeFlags);
      codec.write(writer, tag.data);
      writer.closeAttribute(data);
    },
    read(reader) {
      const kind = readKind(reader);
      const codec = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
      if (codec === undefined) return { kind: 'unknown', name: kind };
      const outer = find(reader, ids.dataId);
      const out: unknown = outer === undefined ? { kind } : { kind, data: codec.read(reader) };
      reader.at = reader.end;
      return out as TaggedOf<T>;
    },
    locate(reader, offset) {
      const kind = readKind(reader);
      const outer = find(reader, ids.dataId);
      if (outer === undefined || offset < reader.at - NLA_HDRLEN) return '';
      return `.${kind}${kinds[kind]?.locate(reader, offset) ?? ''}`;
    },
  };
}
