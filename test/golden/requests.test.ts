/**
 * Every captured request both ways: `read(bytes)` is the value and `write(value)` is the bytes.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import type { Codec } from '../../src/netlink/codec.ts';
import { NLM_F } from '../../src/netlink/session.ts';
import { align4, Reader, Writer } from '../../src/netlink/wire.ts';
import { NFT_PORT_REQUESTS } from './nft-port-requests.ts';
import { NFT_REQUESTS } from './nft-requests.ts';
import { REQUESTS as ROUTE_REQUESTS } from './requests.ts';
import { type GoldenMessage, parseGolden, sideBySide } from './text.ts';

const REQUESTS = [...ROUTE_REQUESTS, ...NFT_REQUESTS, ...NFT_PORT_REQUESTS];

const DIRECTORY = `${import.meta.dir}/requests`;

function load(file: string): GoldenMessage {
  const { messages } = parseGolden(readFileSync(`${DIRECTORY}/${file}.txt`, 'utf8'));
  const [message] = messages;
  if (message === undefined || messages.length !== 1) throw new Error(`${file} has not one message`);
  return message;
}

function write(codec: Codec<unknown>, value: unknown): Uint8Array {
  const writer = new Writer(4096);
  codec.write(writer, value);
  return writer.bytes.slice(0, writer.at);
}

/** The top-level attributes behind a header, each with its padding, in the order of their bytes. */
function sorted(bytes: Uint8Array, headerBytes: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const pieces: Uint8Array[] = [];
  for (let at = headerBytes; at < bytes.length; ) {
    const next = at + align4(view.getUint16(at, true));
    pieces.push(bytes.subarray(at, next));
    at = next;
  }
  return Buffer.concat([bytes.subarray(0, headerBytes), ...pieces.sort(Buffer.compare)]);
}

/** The bytes with zeros at the offsets. */
function zeroed(bytes: Uint8Array, offsets: readonly number[]): Uint8Array {
  return bytes.map((byte, at) => (offsets.includes(at) ? 0 : byte));
}

function expectSame(got: Uint8Array, want: Uint8Array): void {
  if (Buffer.compare(got, want) !== 0) throw new Error(`The bytes differ\n${sideBySide(got, want)}`);
}

test('requests have a value each, and values a capture', () => {
  const captured = readdirSync(DIRECTORY).map((name) => name.replace(/\.txt$/, ''));
  expect(captured.sort()).toEqual(REQUESTS.map(({ file }) => file).sort());
});

for (const { file, type, flags, codec, value, habit, answered = true } of REQUESTS) {
  test(`read() gives the value of ${file}`, () => {
    const message = load(file);
    expect(message.type).toBe(type);
    expect(message.flags).toBe(flags | NLM_F.REQUEST | (answered ? NLM_F.ACK : 0));
    expect(codec.read(new Reader(message.bytes))).toEqual(value);
  });

  test(`write() gives the bytes of ${file}`, () => {
    const { bytes } = load(file);
    const written = write(codec, value);
    if (habit === undefined) return expectSame(written, bytes);
    // A habit that nobody has any more must leave the list.
    expect(Buffer.compare(written, bytes)).not.toBe(0);
    if (habit.overlook === 'order') expectSame(sorted(written, 12), sorted(bytes, 12));
    else expectSame(written, zeroed(bytes, habit.offsets));
  });
}
