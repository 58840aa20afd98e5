/** Protocol buffers, field by field, and what is none. @module */
import { describe, expect, test } from 'bun:test';
import { ProtoReader } from '../../../../src/store/kube/protobuf.ts';
import { field, message, varint } from './wire.ts';

function readerOf(bytes: Buffer): ProtoReader {
  return new ProtoReader(bytes, 0, bytes.length);
}

/** The numbers of all fields, until the end or to where it breaks. */
function fieldsOf(reader: ProtoReader): number[] {
  const fields: number[] = [];
  while (reader.next()) fields.push(reader.field);
  return fields;
}

describe('what is whole', () => {
  test('texts, numbers and messages', () => {
    const reader = readerOf(message(field(1, 'grüße'), field(2, 300), field(16, message(field(1, 'in')))));
    expect(reader.next()).toBe(true);
    expect([reader.field, reader.text(), reader.textAfter(2)]).toEqual([1, 'grüße', 'üße']);
    expect(reader.next()).toBe(true);
    expect([reader.field, reader.number()]).toEqual([2, 300]);
    expect(reader.next()).toBe(true);
    const inner = reader.message();
    expect([reader.field, inner.next(), inner.text(), inner.next()]).toEqual([16, true, 'in', false]);
    expect([reader.next(), reader.next(), reader.isBroken]).toEqual([false, false, false]);
  });

  test('fixed numbers of 32 and 64 bits are stepped over', () => {
    const fixed = Buffer.concat([varint(1 * 8 + 1), Buffer.alloc(8), varint(2 * 8 + 5), Buffer.alloc(4)]);
    const reader = readerOf(message(fixed, field(3, 'x')));
    expect(fieldsOf(reader)).toEqual([1, 2, 3]);
    expect(reader.isBroken).toBe(false);
  });

  test.each([0, 1, 127, 128, 16_383, 16_384, 2 ** 32, Number.MAX_SAFE_INTEGER])('%d', (value) => {
    const reader = readerOf(field(1, value));
    expect([reader.next(), reader.number()]).toEqual([true, value]);
  });

  test('a negative number takes ten bytes, and is large', () => {
    const minusOne = Buffer.concat([varint(8), Buffer.alloc(9, 0xff), Buffer.from([1])]);
    const reader = readerOf(message(minusOne, field(2, 'x')));
    expect(fieldsOf(reader)).toEqual([1, 2]);
    expect(reader.isBroken).toBe(false);
  });

  test('a value begins with some bytes, or is shorter than they are', () => {
    const reader = readerOf(field(1, 'abc'));
    reader.next();
    const begins = ['', 'a', 'abc', 'abcd', 'b'].map((text) => reader.startsWith(Buffer.from(text)));
    expect(begins).toEqual([true, true, true, false, false]);
    expect(reader.textAfter(9)).toBe('');
    expect(reader.messageAfter(9).next()).toBe(false);
  });

  test('nothing outside of its part of the buffer is read', () => {
    const bytes = message(field(1, 'a'), field(2, 'b'), field(3, 'c'));
    expect(fieldsOf(new ProtoReader(bytes, 3, 6))).toEqual([2]);
    expect(fieldsOf(new ProtoReader(bytes, 6, 999))).toEqual([3]);
    expect(fieldsOf(new ProtoReader(bytes, 9, 9))).toEqual([]);
  });

  test('a number has no text', () => {
    const reader = readerOf(field(1, 65));
    reader.next();
    expect([reader.text(), reader.message().next()]).toEqual(['', false]);
  });
});

describe('what is broken says so, and nothing more is read', () => {
  test.each<[string, Buffer]>([
    ['a text that is cut off', field(1, 'abc').subarray(0, 4)],
    ['a number that is cut off', field(1, 300).subarray(0, 2)],
    ['a length that is cut off', Buffer.from([0x0a, 0x80])],
    ['a tag that is cut off', Buffer.from([0x80])],
    ['a number of eleven bytes', Buffer.concat([varint(8), Buffer.alloc(11, 0xff)])],
    ['a fixed number of 64 bits that is cut off', Buffer.concat([varint(9), Buffer.alloc(7)])],
    ['a fixed number of 32 bits that is cut off', Buffer.concat([varint(13), Buffer.alloc(3)])],
    ['a group', Buffer.concat([varint(8 + 3), field(1, 'x')])],
    ['the end of a group', varint(8 + 4)],
    ['a wire type that there is not', varint(8 + 7)],
    ['a length beyond all memory', Buffer.concat([varint(10), varint(2 ** 53 - 1)])],
  ])('%s', (_, bytes) => {
    const whole = field(7, 'x');
    const reader = readerOf(message(whole, bytes));
    expect(fieldsOf(reader)).toEqual([7]);
    expect(reader.isBroken).toBe(true);
    expect(reader.next()).toBe(false);
  });
});
