/**
 * Spoiled netlink messages against our codecs and the session: whatever arrives, they give a value or a
 * `DecodeError`, look at nothing behind the end, and come to an end.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Codec } from '../../src/netlink/codec.ts';
import { featuresMessage } from '../../src/netlink/ethtool.ts';
import { controlMessage } from '../../src/netlink/generic.ts';
import { addressMessage, linkMessage, neighbourMessage, RTM, routeMessage } from '../../src/netlink/route.ts';
import { NLM_F, Session, type Transport } from '../../src/netlink/session.ts';
import { DecodeError, NLMSG_HDRLEN, Reader, Writer } from '../../src/netlink/wire.ts';
import { hexLines, parseGolden } from '../golden/text.ts';
import { pick, type Random, seededRandom } from './random.ts';

/** A message as it was captured, and the codec for it. */
export interface Sample {
  readonly name: string;
  readonly type: number;
  readonly codec: Codec<unknown>;
  readonly bytes: Uint8Array;
}

/** What came of it. */
export interface FuzzReport {
  readonly mutations: number;
  /** How many still gave a value. */
  readonly values: number;
  /** How many were refused. */
  readonly refusals: number;
}

const GOLDEN = `${import.meta.dir}/../golden`;
/** No message has as many attributes as it has bytes; an attribute loop that turns more often hangs. */
const STEPS_PER_BYTE = 1;
const BUFFER_BYTES = 64 * 1024;

/** Every captured message, requests and replies. */
export function readSamples(): Sample[] {
  return ['requests', 'replies'].flatMap((folder) =>
    readdirSync(`${GOLDEN}/${folder}`)
      .filter((file) => file.endsWith('.txt'))
      .sort()
      .flatMap((file) =>
        parseGolden(readFileSync(`${GOLDEN}/${folder}/${file}`, 'utf8')).messages.map(({ type, bytes }) => ({
          name: `${folder}/${file}`,
          type,
          codec: codecOf(file, type),
          bytes,
        })),
      ),
  );
}

/**
 * Spoils samples `mutations` times, each once or several times over, and decodes what is left.
 *
 * @throws with the seed, the number and the bytes of the first mutation that went wrong
 */
export function fuzzNetlink({
  seed,
  mutations,
  samples,
}: {
  readonly seed: number;
  readonly mutations: number;
  readonly samples: readonly Sample[];
}): FuzzReport {
  const random = seededRandom(seed);
  const [first, ...others] = samples;
  if (first === undefined) throw new Error('Nothing to spoil');
  let values = 0;
  for (let i = 0; i < mutations; i++) {
    const sample = pick(random, [first, ...others]);
    const bytes = spoil(sample.bytes, random);
    try {
      if (decode(sample.codec, bytes) !== undefined) values++;
      if (i % 8 === 0) converse(sample, { bytes, random });
    } catch (error) {
      const where = `seed ${seed}, mutation ${i} of ${sample.name}`;
      throw new Error(`${where}: ${error}\n${hexLines(bytes).join('\n')}`, { cause: error });
    }
  }
  return { mutations, values, refusals: mutations - values };
}

function codecOf(file: string, type: number): Codec<unknown> {
  if (file.startsWith('family')) return controlMessage;
  if (file.startsWith('features')) return featuresMessage;
  if (type < RTM.NEWADDR) return linkMessage;
  if (type < RTM.NEWROUTE) return addressMessage;
  return type < RTM.NEWNEIGH ? routeMessage : neighbourMessage;
}

/** Flips bits, cuts, writes lengths that lie, zeroes, or repeats a piece: up to four of these. */
function spoil(original: Uint8Array, random: Random): Uint8Array {
  let bytes = original.slice();
  for (let times = 1 + random(4); times > 0 && bytes.length > 0; times--) {
    const at = random(bytes.length);
    const aligned = at & ~3;
    switch (random(5)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes = bytes.slice(0, at);
        break;
      case 2: {
        // An attribute's length stands at a multiple of four.
        const length = pick(random, [0, 1, 2, 3, 4, 5, 7, 8, 0xffff, random(64), random(65536)]);
        if (aligned + 2 <= bytes.length) new DataView(bytes.buffer).setUint16(aligned, length, true);
        break;
      }
      case 3:
        bytes.fill(pick(random, [0, 0xff]), at, at + 1 + random(8));
        break;
      default:
        bytes = Uint8Array.from([...bytes.subarray(0, aligned), ...bytes.subarray(aligned >> 1)]);
    }
  }
  return bytes.slice(0, BUFFER_BYTES / 2);
}

/** The value of the bytes, or undefined if they are refused. */
function decode(codec: Codec<unknown>, bytes: Uint8Array): unknown {
  const value = readBefore(codec, { bytes, behind: 0x00 });
  const again = readBefore(codec, { bytes, behind: 0xff });
  if (!isDeepStrictEqual(value, again)) throw new Error('What stands behind the end was read');
  if (value === undefined) return undefined;
  const writer = new Writer(BUFFER_BYTES);
  codec.write(writer, value);
  const back = readBefore(codec, { bytes: writer.bytes.slice(0, writer.at), behind: 0x00 });
  if (!isDeepStrictEqual(back, value))
    throw new Error(`Written and read again it is ${JSON.stringify(back)}`);
  return value;
}

/** Reads bytes that stand in the middle of a buffer full of the byte `behind`. */
function readBefore(
  codec: Codec<unknown>,
  { bytes, behind }: { readonly bytes: Uint8Array; readonly behind: number },
): unknown {
  const around = new Uint8Array(bytes.length + 128).fill(behind);
  around.set(bytes, 64);
  const reader = new CountingReader(around, 64, 64 + bytes.length);
  try {
    return codec.read(reader);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** A reader that notices a loop. */
class CountingReader extends Reader {
  #steps = 0;

  override nextAttribute(end: number): number {
    if (++this.#steps > 16 + this.bytes.length * STEPS_PER_BYTE) throw new Error('It hangs');
    return super.nextAttribute(end);
  }
}

/** Gives the spoiled message to a session as the answer to a dump: alone, or as an error about the request. */
function converse(
  { type, codec }: Sample,
  { bytes, random }: { readonly bytes: Uint8Array; readonly random: Random },
): void {
  const kind = pick(random, [type, 2, 3]);
  const flags = pick(random, [NLM_F.MULTI, 0x100, 0x200, 0x300, 0]);
  const lie = pick(random, [undefined, undefined, undefined, 0, 4, 15, 16, 0xffffffff]);
  let sequence = 0;
  const answers = [datagram(1), datagram(1)];
  const transport: Transport = {
    send(sent, length) {
      sequence = new DataView(sent.buffer).getUint32(8, true);
      return length;
    },
    receive(into) {
      const answer = answers.pop();
      if (answer === undefined) return -11;
      new DataView(answer.buffer).setUint32(8, sequence, true);
      into.set(answer);
      return answer.length;
    },
  };
  const session = new Session(transport);
  const request = { type, flags: 0, codec: nothing, value: undefined };
  session.dump(request, codec, { visit: () => undefined, restart: () => undefined });

  function datagram(portId: number): Uint8Array {
    const out = new Uint8Array(NLMSG_HDRLEN + bytes.length);
    const view = new DataView(out.buffer);
    view.setUint32(0, lie ?? out.length, true);
    view.setUint16(4, kind, true);
    view.setUint16(6, flags, true);
    view.setUint32(12, portId, true);
    out.set(bytes, NLMSG_HDRLEN);
    return out;
  }
}

const nothing: Codec<undefined> = {
  name: 'nothing',
  typeFlags: 0,
  write: () => undefined,
  read: () => undefined,
  locate: () => '',
};
