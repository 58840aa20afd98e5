/**
 * Spoiled datagrams: as the answers of a kernel to a session, and as events.
 *
 * @module
 */
import { type EventSink, readEvents } from '../../../src/kernel/events.ts';
import { LinkTable } from '../../../src/kernel/link-table.ts';
import { describe } from '../../../src/model/objects.ts';
import type { Codec } from '../../../src/netlink/codec.ts';
import { NLM_F, Session, type Transport } from '../../../src/netlink/session.ts';
import { NLMSG_HDRLEN } from '../../../src/netlink/wire.ts';
import { CLAIMS } from '../../contract/hands.ts';
import { pick, type Random } from '../random.ts';
import { spoilBytes } from '../spoil.ts';
import { jsonForm, mustHold, target, type Verdict } from '../target.ts';
import { capturedMessages, codecNamed } from './captured.ts';

/** One or more messages with their headers, as hex; the codec is that of what was asked for. */
interface Datagram {
  readonly codec: string;
  readonly hex: string;
}

const SAMPLES: readonly Datagram[] = capturedMessages().map(({ codec, type, bytes }) => ({
  codec,
  hex: Buffer.from(framed(type, bytes)).toString('hex'),
}));

/** Answers to a request. The header's sequence number is put right, or nobody would look at it. */
export const session = target<Datagram>({
  name: 'session',
  samples: SAMPLES,
  spoil: spoilDatagram,
  run: ({ codec, hex }, random) => converse(codecNamed(codec), Uint8Array.fromHex(hex), random),
  ...jsonForm<Datagram>(),
});

/** Events, as the event socket gives them. */
export const events = target<Datagram>({
  name: 'events',
  samples: SAMPLES.filter(({ codec }) => codec !== 'nlctrl' && codec !== 'features'),
  spoil: spoilDatagram,
  run: ({ hex }) => hear(Uint8Array.fromHex(hex)),
  ...jsonForm<Datagram>(),
});

function spoilDatagram(random: Random, { codec, hex }: Datagram, other: Datagram): Datagram {
  const bytes = Uint8Array.fromHex(hex);
  const tail = Uint8Array.fromHex(other.hex);
  const payload = spoilBytes(random, bytes.subarray(NLMSG_HDRLEN), tail.subarray(NLMSG_HDRLEN));
  const type = pick(random, [2, 3, 1, bytes[4] ?? 0, bytes[4] ?? 0, bytes[4] ?? 0, random(256)]);
  const flags = pick(random, [NLM_F.MULTI, NLM_F.MULTI | NLM_F.DUMP_INTR, 0x100, 0x200, 0x300, 0]);
  const out = framed(type, payload, flags);
  // A length that lies, of all the message or of nothing.
  if (random(4) === 0)
    new DataView(out.buffer).setUint32(0, pick(random, [0, 4, 15, 16, 17, out.length + 1, 0xffffffff]), true);
  const whole = random(3) === 0 ? Buffer.concat([tail, out]) : Buffer.from(out);
  return { codec, hex: whole.toString('hex') };
}

function framed(type: number, payload: Uint8Array, flags: number = NLM_F.MULTI): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(NLMSG_HDRLEN + payload.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, out.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  out.set(payload, NLMSG_HDRLEN);
  return out;
}

const nothing: Codec<undefined> = {
  name: 'nothing',
  typeFlags: 0,
  write: () => undefined,
  read: () => undefined,
  locate: () => '',
};

/** Whatever the answer is, a session gives an error or none, and can be used again. */
function converse(codec: Codec<unknown>, datagram: Uint8Array, random: Random): Verdict {
  const transport = new Repeater(datagram, { times: random(6), isClosed: random(4) > 0 });
  const session = new Session(transport);
  const request = { type: 16, flags: 0, codec: nothing, value: undefined };
  const asked = [
    session.dump(request, codec, { visit: () => undefined, restart: () => undefined }),
    session.ask(request, codec, () => undefined),
    session.execute(request),
  ];
  session.queue(1, request);
  session.queue(2, request);
  for (const id of session.finish().keys()) mustHold(id === 1 || id === 2, `Request ${id} was never made`);
  for (const error of asked)
    mustHold(error === undefined || Number.isInteger(error.errno), 'An error has no number');
  return asked[0] === undefined ? 'accepted' : 'refused';
}

/** An acknowledgement of success (`struct nlmsgerr`). */
const SUCCESS = framed(2, new Uint8Array(20), 0);

/** Answers every request with the same datagram some times, then with success or not at all. */
class Repeater implements Transport {
  readonly #answers: readonly Uint8Array[];
  #left: Uint8Array[] = [];
  #sequence = 0;

  constructor(
    datagram: Uint8Array,
    { times, isClosed }: { readonly times: number; readonly isClosed: boolean },
  ) {
    this.#answers = [...Array.from({ length: times }, () => datagram), ...(isClosed ? [SUCCESS] : [])];
  }

  /** A batch is answered for its last message, as the one that asks. */
  send(bytes: Uint8Array, length: number): number {
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < length; at += (view.getUint32(at, true) + 3) & ~3)
      this.#sequence = view.getUint32(at + 8, true);
    this.#left = [...this.#answers];
    return length;
  }

  receive(into: Uint8Array): number {
    const answer = this.#left.shift();
    if (answer === undefined) return -11;
    into.set(answer);
    const view = new DataView(into.buffer);
    for (let at = 0; at + NLMSG_HDRLEN <= answer.length; ) {
      view.setUint32(at + 8, this.#sequence, true);
      const size = view.getUint32(at, true);
      if (size < NLMSG_HDRLEN || size > answer.length) break;
      at += (size + 3) & ~3;
    }
    return answer.length;
  }
}

/** Whatever an event says, it is told as an object that can be shown, or as a reason to look. */
function hear(datagram: Uint8Array): Verdict {
  const links = new LinkTable();
  links.set({ index: 2, name: 'eth0', up: true });
  links.set({ index: 7, name: 'flannel.1', up: true });
  let verdict: Verdict = 'accepted';
  const sink: EventSink = {
    moved: ({ object }) => mustHold(describe(object).length > 0, 'An object cannot be shown'),
    look: (cause) => {
      if (cause.startsWith('unreadable')) verdict = 'refused';
    },
    underlay: (event) => mustHold(event.kind.length > 0, 'An event is of no kind'),
  };
  readEvents(datagram, { links, claims: CLAIMS }, sink);
  return verdict;
}
