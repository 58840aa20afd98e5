/**
 * Single values, structures, attribute sets and lists at their edges.
 *
 * @module
 */
import { describe, expect, test } from 'bun:test';
import { attrs, list, struct } from '../../../src/netlink/attributes.ts';
import { bareStr, type Codec, flag, ip, mac, str, u8, u16, u32 } from '../../../src/netlink/codec.ts';
import { genlmsghdr } from '../../../src/netlink/generic.ts';
import { ifinfomsg } from '../../../src/netlink/link-kinds.ts';
import { ifaddrmsg, ndmsg, rtmsg } from '../../../src/netlink/route.ts';
import { DecodeError, Reader, Writer } from '../../../src/netlink/wire.ts';

/** The bytes of hex text. */
function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
}

function read<T>(codec: Codec<T>, text: string): T {
  return codec.read(new Reader(hex(text)));
}

function write<T>(codec: Codec<T>, value: T): string {
  const writer = new Writer(1024);
  codec.write(writer, value);
  return Buffer.from(writer.bytes.subarray(0, writer.at)).toString('hex');
}

const inner = attrs('inner', { a: [1, u8], b: [2, str] });
const outer = attrs('outer', {
  number: [1, u32],
  inner: [2, inner],
  list: [3, list('list', 1, u16)],
  on: [4, flag],
});

describe('attrs', () => {
  test('read() skips what the table does not list', () => {
    expect(read(outer, '08006300 01020304 08000100 05000000')).toEqual({ number: 5 });
  });

  test('read() takes an attribute without payload', () => {
    expect(read(outer, '04000480 04000200 04000300')).toEqual({ on: true, inner: {}, list: [] });
    expect(read(inner, '04000200')).toEqual({ b: '' });
  });

  test('read() refuses an attribute that is too short for its value', () => {
    expect(() => read(outer, '06000100 0500')).toThrow(DecodeError);
    expect(() => read(inner, '04000100')).toThrow(DecodeError);
  });

  test('read() refuses lengths that lie', () => {
    for (const length of ['0000', '0300', '0900', 'ffff'])
      expect(() => read(outer, `${length}0100 05000000`)).toThrow(DecodeError);
  });

  test('read() does not need the padding of the last attribute', () => {
    expect(read(inner, '05000100 07')).toEqual({ a: 7 });
  });

  test('read() overlooks a tail too short for an attribute', () => {
    expect(read(outer, '08000100 05000000 ffffff')).toEqual({ number: 5 });
  });

  test('read() takes the last of two, as the kernel does', () => {
    expect(read(outer, '08000100 05000000 08000100 06000000')).toEqual({ number: 6 });
  });

  test('read() goes on behind a nest, however much of it was read', () => {
    const nest = '18000280 05000100 07000000 09006300 0102030405000000';
    expect(read(outer, `${nest} 08000100 05000000`)).toEqual({ inner: { a: 7 }, number: 5 });
  });

  test('read() does not let a nest read into what follows', () => {
    expect(() => read(outer, '08000280 0c000200 78797a00 00000000')).toThrow(DecodeError);
  });

  test('read() overlooks the flags of a type', () => {
    expect(read(outer, '080001c0 05000000')).toEqual({ number: 5 });
  });

  test('write() keeps the order of the table and leaves out what is absent', () => {
    expect(write(outer, { list: [1, 2], number: 5, inner: undefined })).toBe(
      hexText('08000100 05000000 14000380 06000100 01000000 06000100 02000000'),
    );
  });

  test('attrs() refuses an id that is there twice', () => {
    expect(() => attrs('twice', { a: [1, u8], b: [1, u8] })).toThrow('Attribute id 1 twice in twice');
  });
});

describe('list', () => {
  test('read() skips what is not an element', () => {
    expect(read(outer, '14000380 05006300 01000000 06000100 02000000')).toEqual({ list: [2] });
  });
});

describe('text', () => {
  test('str.read() ends at the NUL or at the end', () => {
    expect(read(inner, '07000200 61626300')).toEqual({ b: 'abc' });
    expect(read(inner, '0a000200 61006263 64650000')).toEqual({ b: 'a' });
  });

  test('str.write() ends with a NUL, bareStr.write() without', () => {
    expect(write(str, 'abc')).toBe('61626300');
    expect(write(bareStr, 'abc')).toBe('616263');
  });

  test('text that is not ASCII comes back as it was', () => {
    for (const name of ['wlän0', '\u{1f427}', '\ufeffx', 'aé'])
      expect(str.read(new Reader(Buffer.from(write(str, name), 'hex')))).toBe(name);
  });
});

describe('addresses', () => {
  test('ip.read() tells the family by the length', () => {
    expect(String(read(ip, '0a2a0100'))).toBe('10.42.1.0');
    expect(String(read(ip, 'fd000000000000000000000000000001'))).toBe('fd00::1');
    for (const text of ['', '01', '0a2a01', '0a2a010000', 'fd00000000000000'])
      expect(() => read(ip, text)).toThrow(DecodeError);
  });

  test('ip.write() keeps an IPv4-mapped address at sixteen bytes', () => {
    const bytes = '00000000000000000000ffff0a2a0100';
    expect(write(ip, read(ip, bytes))).toBe(bytes);
  });

  test('mac.read() gives zeros for an address of another kind of link', () => {
    expect(String(read(mac, '0a580a2a0100'))).toBe('0a:58:0a:2a:01:00');
    for (const text of ['', '0a2a0100', '0a580a2a01000000'])
      expect(String(read(mac, text))).toBe('00:00:00:00:00:00');
  });
});

describe('struct', () => {
  test('structures are as long as in C', () => {
    const sizes = [ifinfomsg, ifaddrmsg, rtmsg, ndmsg, genlmsghdr].map(({ sizeBytes }) => sizeBytes);
    expect(sizes).toEqual([16, 8, 12, 12, 4]);
  });

  test('write() aligns members as C does', () => {
    const padded = struct('padded', { small: u8, wide: u32, half: u16 });
    expect(write(padded, { small: 1, wide: 2, half: 3 })).toBe(hexText('01000000 02000000 03000000'));
    expect(read(padded, '01ffffff 02000000 0300ffff')).toEqual({ small: 1, wide: 2, half: 3 });
  });

  test('of() fills in zeros', () => {
    expect(ndmsg.of({ state: 128 })).toEqual({ family: 0, ifindex: 0, state: 128, flags: 0, type: 0 });
  });

  test('read() refuses what is shorter', () => {
    expect(() => read(ndmsg, '02000000 03000000')).toThrow(DecodeError);
  });
});

describe('Writer', () => {
  test('skip() zeroes what an earlier message left', () => {
    const writer = new Writer(64);
    str.write(writer, 'x'.repeat(40));
    writer.at = 0;
    inner.write(writer, { a: 1 });
    ifaddrmsg.write(writer, ifaddrmsg.of({}));
    expect(Buffer.from(writer.bytes.subarray(0, writer.at)).toString('hex')).toBe(
      hexText('05000100 01000000 00000000 00000000'),
    );
  });

  test('skip() refuses more than there is room for', () => {
    const writer = new Writer(8);
    expect(() => str.write(writer, '12345678')).toThrow(RangeError);
  });
});

describe('Reader', () => {
  test('take() refuses a negative count', () => {
    const reader = new Reader(hex('0000000000000000'), 4);
    expect(() => reader.take(-4)).toThrow(DecodeError);
    expect(reader.at).toBe(4);
  });
});

function hexText(text: string): string {
  return text.replaceAll(' ', '');
}
