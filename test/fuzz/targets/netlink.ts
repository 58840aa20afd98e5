/**
 * Spoiled netlink messages against the codecs: whatever arrives, they give a value or a `DecodeError`, look at
 * nothing behind the end, and come to an end.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { Codec } from '../../../src/netlink/codec.ts';
import { DecodeError, Reader, Writer } from '../../../src/netlink/wire.ts';
import { hexLines } from '../../golden/text.ts';
import type { Random } from '../random.ts';
import { spoilBytes } from '../spoil.ts';
import { mustHold, target, type Verdict } from '../target.ts';
import { capturedMessages, codecNamed } from './captured.ts';

/** A payload, and the codec that is to read it. */
interface Message {
  readonly codec: string;
  readonly bytes: Uint8Array;
}

const BUFFER_BYTES = 64 * 1024;

/** What may stand behind a message: nothing, bits, and what could be one more attribute. */
const BEHIND = [[], [0x00], [0xff], [0x08, 0x00, 0x01, 0x00], [0x04, 0x00, 0x03, 0x00]] as const;

/** Payloads of messages against the codec for them. */
export const netlink = target<Message>({
  name: 'netlink',
  samples: capturedMessages(),
  spoil: (random, { codec, bytes }, other) => ({ codec, bytes: spoilBytes(random, bytes, other.bytes) }),
  run: ({ codec, bytes }, random) => decode(codecNamed(codec), bytes, random),
  encode: ({ codec, bytes }) => new TextEncoder().encode(`${codec}\n${hexLines(bytes).join('\n')}\n`),
  decode: readMessage,
});

/** Reads what `encode` has written: the name of the codec, then bytes in hex. */
function readMessage(file: Uint8Array): Message {
  const [codec = '', ...lines] = new TextDecoder().decode(file).split('\n');
  return { codec, bytes: Uint8Array.fromHex(lines.join('').replaceAll(' ', '')) };
}

function decode(codec: Codec<unknown>, bytes: Uint8Array, random: Random): Verdict {
  const value = readBefore(codec, bytes, BEHIND[0]);
  const behind = BEHIND[1 + random(BEHIND.length - 1)] ?? BEHIND[1];
  mustHold(isDeepStrictEqual(value, readBefore(codec, bytes, behind)), 'What stands behind the end was read');
  if (value === undefined) return 'refused';
  const writer = new Writer(BUFFER_BYTES);
  codec.write(writer, value);
  const written = writer.bytes.slice(0, writer.at);
  const back = readBefore(codec, written, BEHIND[0]);
  mustHold(isDeepStrictEqual(back, value), `Written and read again it is ${JSON.stringify(back)}`);
  const path = codec.locate(new Reader(written), random(written.length + 8));
  mustHold(typeof path === 'string', 'A place has no name');
  return 'accepted';
}

/**
 * Reads bytes with `behind` after them, again and again; `undefined` if they are refused. With nothing after
 * them they end with their buffer: to read on is a RangeError.
 */
function readBefore(codec: Codec<unknown>, bytes: Uint8Array, behind: readonly number[]): unknown {
  const around = new Uint8Array(64 + bytes.length + (behind.length === 0 ? 0 : 64)).fill(0xff, 0, 64);
  around.set(bytes, 64);
  for (let at = 64 + bytes.length; at < around.length; at++)
    around[at] = behind[(at - bytes.length) % behind.length] ?? 0;
  const reader = new CountingReader(around, 64, 64 + bytes.length);
  try {
    return codec.read(reader);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** A reader that notices a loop: no message has as many attributes as it has bytes. */
class CountingReader extends Reader {
  #steps = 0;

  override nextAttribute(end: number): number {
    mustHold(++this.#steps <= 16 + this.bytes.length, 'The attribute walker hangs');
    return super.nextAttribute(end);
  }
}
