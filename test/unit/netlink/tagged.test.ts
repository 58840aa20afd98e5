/**
 * Attribute sets in which one attribute names the layout of another.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { attrs } from '../../../src/netlink/attributes.ts';
import { u32 } from '../../../src/netlink/codec.ts';
import { ifinfomsg } from '../../../src/netlink/link-kinds.ts';
import { linkMessage } from '../../../src/netlink/route.ts';
import { tagged } from '../../../src/netlink/tagged.ts';
import { Reader, Writer } from '../../../src/netlink/wire.ts';

const animal = tagged(
  'animal',
  { kindId: 1, dataId: 2 },
  {
    dog: attrs('dog', { legs: [1, u32] }),
    eel: attrs('eel', { volts: [1, u32] }),
  },
);
const keeper = attrs('keeper', { animal: [7, animal], age: [8, u32] });

const DOG = '08000100646f6700';
const FOUR = '0c0002000800010004000000';

function read(text: string): unknown {
  return animal.read(new Reader(Buffer.from(text, 'hex')));
}

function write(value: Parameters<typeof animal.write>[1]): string {
  const writer = new Writer(128);
  animal.write(writer, value);
  return Buffer.from(writer.bytes.subarray(0, writer.at)).toString('hex');
}

test('read() finds the kind before or behind the data', () => {
  expect(read(DOG + FOUR)).toEqual({ kind: 'dog', data: { legs: 4 } });
  expect(read(FOUR + DOG)).toEqual({ kind: 'dog', data: { legs: 4 } });
});

test('read() takes a kind without final NUL', () => {
  expect(read('07000100656565006c')).toEqual({ kind: 'unknown', name: 'eee' });
  expect(read('0700010065656c00')).toEqual({ kind: 'eel' });
});

test('read() gives a kind without data', () => {
  expect(read(DOG)).toEqual({ kind: 'dog' });
});

test('read() names a kind that is not in the table, and does not mind the data', () => {
  expect(read(`0800010063617400${FOUR}`)).toEqual({ kind: 'unknown', name: 'cat' });
  expect(read(FOUR)).toEqual({ kind: 'unknown', name: '' });
  expect(read(`10000100636f6e7374727563746f7200${FOUR}`)).toEqual({ kind: 'unknown', name: 'constructor' });
});

test('read() leaves its surroundings readable', () => {
  const bytes = Buffer.from(`18000700${DOG}${FOUR}0800080009000000`, 'hex');
  expect(keeper.read(new Reader(bytes))).toEqual({ animal: { kind: 'dog', data: { legs: 4 } }, age: 9 });
});

test('write() gives what read() takes', () => {
  expect(write({ kind: 'dog', data: { legs: 4 } })).toBe(`07000100646f6700${FOUR}`);
  expect(write({ kind: 'eel' })).toBe('0700010065656c00');
});

test('write() of a kind that is not in the table writes its name', () => {
  expect(write({ kind: 'unknown', name: 'cat' })).toBe('0700010063617400');
});

test('locate() names the kind, the data and what is in it', () => {
  const bytes = Buffer.from(DOG + FOUR, 'hex');
  const at = (offset: number) => animal.locate(new Reader(bytes), offset);
  expect([0, 4, 8, 12, 16].map(at)).toEqual(['.kind', '.kind', '.dog', '.dog.legs', '.dog.legs']);
  expect(at(99)).toBe('');
});

test('locate() walks into a message inside a message', () => {
  const writer = new Writer(256);
  const peer = { header: ifinfomsg.of({}), attrs: { name: 'eth0' } };
  const attrs = { name: 'veth0', linkInfo: { kind: 'veth', data: { peer } } } as const;
  linkMessage.write(writer, { header: ifinfomsg.of({}), attrs });
  const at = Buffer.from(writer.bytes).indexOf('eth0\0', writer.at - 12) - 4;
  const reader = new Reader(writer.bytes, 0, writer.at);
  expect(linkMessage.locate(reader, at)).toBe('.linkInfo.veth.peer.name');
});
