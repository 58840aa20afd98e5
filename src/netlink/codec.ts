/**
 * What a codec is, and those of single values. Byte order is part of a codec's name.
 *
 * @module
 */
import { formatIp, formatMac, type Ip, type Mac, writeIp, writeMac } from '../model/ip.ts';
import { DecodeError, type Reader, type Writer } from './wire.ts';

/** How values of `T` are written and read. Methods, so that tables may hold codecs of any value. */
export interface Codec<T> {
  /** For error paths, dumps and the comparison with the kernel's own specification. */
  readonly name: string;
  /** Flag bits that an attribute with this payload carries when it is written. */
  readonly typeFlags: number;
  write(writer: Writer, value: T): void;
  /** Reads from the reader's position to its end at most. */
  read(reader: Reader): T;
  /**
   * The path below this payload to the attribute that holds byte `offset` of the reader's buffer, such as
   * `.linkInfo.vxlan.port`; empty if no attribute does.
   */
  locate(reader: Reader, offset: number): string;
}

/** The value type of a codec. */
export type Infer<C> = C extends Codec<infer T> ? T : never;

/** A codec of integers of a fixed size. */
export type Scalar = Codec<number> & { readonly sizeBytes: number };

interface ScalarIo {
  readonly sizeBytes: number;
  readonly write: (view: DataView, at: number, value: number) => void;
  readonly read: (view: DataView, at: number) => number;
}

function scalar(name: string, io: ScalarIo): Scalar {
  const { sizeBytes } = io;
  return {
    name,
    sizeBytes,
    typeFlags: 0,
    write: (writer, value) => io.write(writer.view, writer.skip(sizeBytes), value),
    read: (reader) => io.read(reader.view, reader.take(sizeBytes)),
    locate: () => '',
  };
}

function leaf<T>(name: string, write: Codec<T>['write'], read: Codec<T>['read']): Codec<T> {
  return { name, typeFlags: 0, write, read, locate: () => '' };
}

/** Unsigned 8-bit integer. */
export const u8 = scalar('u8', {
  sizeBytes: 1,
  write: (view, at, value) => view.setUint8(at, value),
  read: (view, at) => view.getUint8(at),
});

/** Unsigned 16-bit integer in host order. */
export const u16 = scalar('u16', {
  sizeBytes: 2,
  write: (view, at, value) => view.setUint16(at, value, true),
  read: (view, at) => view.getUint16(at, true),
});

/** Unsigned 32-bit integer in host order. */
export const u32 = scalar('u32', {
  sizeBytes: 4,
  write: (view, at, value) => view.setUint32(at, value, true),
  read: (view, at) => view.getUint32(at, true),
});

/** Signed 32-bit integer in host order. */
export const i32 = scalar('i32', {
  sizeBytes: 4,
  write: (view, at, value) => view.setInt32(at, value, true),
  read: (view, at) => view.getInt32(at, true),
});

/** Unsigned 16-bit integer in network order. */
export const be16 = scalar('be16', {
  sizeBytes: 2,
  write: (view, at, value) => view.setUint16(at, value),
  read: (view, at) => view.getUint16(at),
});

/** Unsigned 32-bit integer in network order. */
export const be32 = scalar('be32', {
  sizeBytes: 4,
  write: (view, at, value) => view.setUint32(at, value),
  read: (view, at) => view.getUint32(at),
});

/** Unsigned 64-bit integer in network order, as far as a number can hold it: the kernel counts up from 1. */
export const be64 = scalar('be64', {
  sizeBytes: 8,
  write: (view, at, value) => view.setBigUint64(at, BigInt(value)),
  read: (view, at) => {
    const value = Number(view.getBigUint64(at));
    if (!Number.isSafeInteger(value)) throw new DecodeError(`${value} is too large`);
    return value;
  },
});

/** A truth value in one byte. */
export const bool8 = leaf<boolean>(
  'bool8',
  (writer, value) => u8.write(writer, value ? 1 : 0),
  (reader) => u8.read(reader) !== 0,
);

/** An attribute without payload: its presence is its value. Write it only if true. */
export const flag = leaf<true>(
  'flag',
  () => undefined,
  () => true,
);

/** An IPv4 or IPv6 address: 4 or 16 bytes decide. */
export const ip = leaf<Ip>(
  'ip',
  (writer, value) => {
    const start = writer.skip(value.includes(':') ? 16 : 4);
    writeIp(value, writer.bytes, start);
  },
  (reader) => {
    const length = reader.end - reader.at;
    if (length !== 4 && length !== 16) throw new DecodeError(`Address of ${length} bytes`);
    return formatIp(reader.bytes, reader.take(length), length);
  },
);

/** A 48-bit link-layer address; of any other length reads as all zeros (tunnels without one). */
export const mac = leaf<Mac>(
  'mac',
  (writer, value) => writeMac(value, writer.bytes, writer.skip(6)),
  (reader) => (reader.end - reader.at === 6 ? formatMac(reader.bytes, reader.take(6)) : NO_MAC),
);

const NO_MAC = formatMac(new Uint8Array(6), 0);
const utf8 = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Writes text and as many NULs as `terminator` says. */
export function writeText(writer: Writer, value: string, terminator: 0 | 1): void {
  const start = writer.skip(value.length + terminator);
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 0x7f) {
      // Interface names may be any bytes; those that are not ASCII take more room than characters.
      const bytes = utf8.encode(value);
      writer.at = start;
      writer.skip(bytes.length + terminator);
      writer.bytes.set(bytes, start);
      return;
    }
    writer.bytes[start + i] = code;
  }
}

/** Reads text up to its NUL or the end of the payload. */
export function readText(reader: Reader): string {
  const start = reader.at;
  let end = start;
  while (end < reader.end && reader.bytes[end] !== 0) end++;
  reader.at = reader.end;
  return utf8Decoder.decode(reader.bytes.subarray(start, end));
}

/** Text with a final NUL (NLA_NUL_STRING). */
export const str = leaf<string>('str', (writer, value) => writeText(writer, value, 1), readText);

/** Text that iproute2 sends without the final NUL, as `IFLA_INFO_KIND`. */
export const bareStr = leaf<string>('bareStr', (writer, value) => writeText(writer, value, 0), readText);

/** Bytes without a meaning of their own, as hexadecimal digits. */
export const bytes = leaf<string>(
  'bytes',
  (writer, value) => writer.bytes.set(Uint8Array.fromHex(value), writer.skip(value.length / 2)),
  (reader) => {
    const start = reader.take(reader.end - reader.at);
    return reader.bytes.subarray(start, reader.end).toHex();
  },
);
