/**
 * The other end of a netlink socket, for what the real kernel cannot be made to show.
 *
 * @module
 */
import { ERRNO } from '../../../src/netlink/error.ts';
import type { Transport } from '../../../src/netlink/session.ts';
import { align4, NLMSG_HDRLEN } from '../../../src/netlink/wire.ts';

/** A request as it was received. */
export interface Received {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The whole message with its header. */
  readonly bytes: Uint8Array;
}

/** A message to answer with. */
export interface Reply {
  readonly type: number;
  readonly flags?: number;
  readonly sequence: number;
  readonly payload?: Uint8Array;
}

/** What a call of `receive` gives: a datagram, or `-errno`. */
export type Answer = Uint8Array | number;

/** Answers every datagram of requests as it is told. */
export class FakeKernel implements Transport {
  /** The requests of each `send`. */
  readonly sends: Received[][] = [];
  /** What was not received yet. */
  readonly queue: Answer[] = [];
  readonly #answer: (requests: readonly Received[]) => readonly Answer[];

  constructor(answer: (requests: readonly Received[]) => readonly Answer[]) {
    this.#answer = answer;
  }

  send(bytes: Uint8Array, length: number): number {
    const requests: Received[] = [];
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < length; at += align4(view.getUint32(at, true))) {
      requests.push({
        type: view.getUint16(at + 4, true),
        flags: view.getUint16(at + 6, true),
        sequence: view.getUint32(at + 8, true),
        bytes: bytes.slice(at, at + view.getUint32(at, true)),
      });
    }
    this.sends.push(requests);
    this.queue.push(...this.#answer(requests));
    return length;
  }

  receive(into: Uint8Array): number {
    const answer = this.queue.shift();
    if (answer === undefined) return -ERRNO.EAGAIN;
    if (typeof answer === 'number') return answer;
    into.set(answer);
    return answer.length;
  }
}

/** Messages as one datagram. */
export function datagram(...replies: readonly Reply[]): Uint8Array {
  const parts = replies.map(({ type, flags = 0, sequence, payload = new Uint8Array() }) => {
    const bytes = new Uint8Array(align4(NLMSG_HDRLEN + payload.length));
    const view = new DataView(bytes.buffer);
    view.setUint32(0, NLMSG_HDRLEN + payload.length, true);
    view.setUint16(4, type, true);
    view.setUint16(6, flags, true);
    view.setUint32(8, sequence, true);
    bytes.set(payload, NLMSG_HDRLEN);
    return bytes;
  });
  return Uint8Array.from(Buffer.concat(parts));
}

/** NLM_F_CAPPED and NLM_F_ACK_TLVS of `linux/netlink.h`. */
const CAPPED = 0x100;
const ACK_TLVS = 0x200;

/** How the kernel says no. */
export interface Refusal {
  readonly errno: number;
  readonly text?: string;
  /** Of the attribute that is blamed, from the request's header on. */
  readonly offset?: number;
  /** Whether the echoed request ends with its header, as with NETLINK_CAP_ACK. */
  readonly capped?: boolean;
}

/** An NLMSG_ERROR; errno 0 is the acknowledgement of a success. */
export function acknowledge(
  { sequence, bytes }: Received,
  { errno, text, offset, capped = true }: Refusal = { errno: 0 },
): Reply {
  const echo = capped ? bytes.slice(0, NLMSG_HDRLEN) : bytes;
  const details = extendedAck(text, offset);
  const payload = new Uint8Array(4 + align4(echo.length) + details.length);
  new DataView(payload.buffer).setInt32(0, -errno, true);
  payload.set(echo, 4);
  payload.set(details, 4 + align4(echo.length));
  return {
    type: 2,
    flags: (capped ? CAPPED : 0) | (details.length > 0 ? ACK_TLVS : 0),
    sequence,
    payload,
  };
}

/** The NLMSG_DONE of a dump, with NLM_F_MULTI. */
export function done({ sequence }: Received, { errno, text }: Refusal = { errno: 0 }): Reply {
  const details = extendedAck(text, undefined);
  const payload = new Uint8Array(4 + details.length);
  new DataView(payload.buffer).setInt32(0, -errno, true);
  payload.set(details, 4);
  return { type: 3, flags: 2 | (details.length > 0 ? ACK_TLVS : 0), sequence, payload };
}

/** NLMSGERR_ATTR_MSG and NLMSGERR_ATTR_OFFS. */
function extendedAck(text: string | undefined, offset: number | undefined): Uint8Array {
  const parts: Uint8Array[] = [];
  if (text !== undefined) parts.push(attribute(1, Buffer.from(`${text}\0`)));
  if (offset !== undefined) parts.push(attribute(2, Uint8Array.of(offset & 0xff, offset >> 8, 0, 0)));
  return Buffer.concat(parts);
}

function attribute(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(align4(4 + payload.length));
  bytes[0] = 4 + payload.length;
  bytes[2] = type;
  bytes.set(payload, 4);
  return bytes;
}
