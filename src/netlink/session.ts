/**
 * Requests, acknowledgements and dumps over one netlink socket. Everything is synchronous: the kernel has
 * answered by the time `send` returns (`netlink(7)`), so nothing waits.
 *
 * @module
 */
import { attrs } from './attributes.ts';
import { type Codec, str, u32 } from './codec.ts';
import { ERRNO, type NetlinkError, netlinkError } from './error.ts';
import { align4, DecodeError, NLMSG_HDRLEN, Reader, Writer } from './wire.ts';

/** `linux/netlink.h`, message flags. */
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  DUMP_INTR: 0x10,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
} as const;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

/** Enough for the largest dump datagram (32 KiB) and for a batch. */
const BUFFER_BYTES = 64 * 1024;
/** Bounds what is lost when the kernel cannot answer, and how long the loop is held. */
const MESSAGES_PER_SEND = 64;
const BYTES_PER_SEND = 32 * 1024;
/** A dump that races with changes is read again this often before it counts as failed. */
const DUMP_ATTEMPTS = 5;
/** A reply that never ends would otherwise hold the loop for ever. */
const RECEIVES_MAX = 1_000_000;

/** A netlink socket: results are byte counts, or `-errno`. */
export interface Transport {
  send(bytes: Uint8Array, length: number): number;
  /** Without waiting; `-EAGAIN` if there is nothing. */
  receive(into: Uint8Array): number;
}

/** One request: a message of type `type` with a payload. */
export interface Request<T> {
  readonly type: number;
  /** NLM_F_* besides REQUEST and ACK. */
  readonly flags: number;
  readonly codec: Codec<T>;
  readonly value: T;
}

/** `struct nlmsghdr` without what only the session needs. */
export interface MessageHeader {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The socket that asked, or 0 for the kernel's own doing. */
  readonly portId: number;
}

/** linux/netlink.h: NLMSGERR_ATTR_* */
const extendedAck = attrs('extack', { message: [1, str], offset: [2, u32] });

/** Calls `visit` for every message in a datagram, the reader narrowed to the message's payload. */
export function eachMessage(
  bytes: Uint8Array,
  length: number,
  visit: (header: MessageHeader, payload: Reader) => void,
): void {
  const reader = new Reader(bytes, 0, length);
  let next = 0;
  while (length - next >= NLMSG_HDRLEN) {
    const start = next;
    const size = reader.view.getUint32(start, true);
    if (size < NLMSG_HDRLEN || start + size > length)
      throw new DecodeError(`Message length ${size} at ${start}`);
    reader.at = start + NLMSG_HDRLEN;
    reader.end = start + size;
    visit(
      {
        type: reader.view.getUint16(start + 4, true),
        flags: reader.view.getUint16(start + 6, true),
        sequence: reader.view.getUint32(start + 8, true),
        portId: reader.view.getUint32(start + 12, true),
      },
      reader,
    );
    next = start + align4(size);
  }
}

interface Pending {
  readonly id: number;
  readonly sequence: number;
  /** Where the message's payload begins and ends in the writer. */
  readonly start: number;
  readonly end: number;
  readonly codec: Codec<unknown>;
}

/** How a conversation ended. */
interface Answer {
  readonly error: NetlinkError | undefined;
  /** Whether the request itself was answered; if not, nobody knows what became of it. */
  readonly complete: boolean;
}

const DUMP_CHANGED = netlinkError(ERRNO.EINTR, { text: 'dump changed while it was read' });

function lost(error: NetlinkError): Answer {
  return { error, complete: false };
}

function ignore(): void {
  // An acknowledgement has nothing but its errno.
}

/** Counts for the metrics. */
export interface SessionCounters {
  requests: number;
  readonly errorsByErrno: Map<number, number>;
}

/** One socket's requests. Not re-entrant: a batch is finished before a dump begins. */
export class Session {
  readonly counters: SessionCounters = { requests: 0, errorsByErrno: new Map() };
  readonly #transport: Transport;
  readonly #writer = new Writer(BUFFER_BYTES);
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #sequence = 0;
  #pending: Pending[] = [];
  #failed = new Map<number, NetlinkError>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Adds a request to the batch under the caller's `id`; sends when enough have come together. */
  queue<T>(id: number, request: Request<T>): void {
    this.#encode(id, request);
    if (this.#pending.length >= MESSAGES_PER_SEND || this.#writer.at >= BYTES_PER_SEND) this.#flush();
  }

  /** Sends what is left of the batch and gives back what failed, by id. What is not in it succeeded. */
  finish(): ReadonlyMap<number, NetlinkError> {
    this.#flush();
    const failed = this.#failed;
    this.#failed = new Map();
    return failed;
  }

  /** Sends one request and waits for its acknowledgement. */
  execute<T>(request: Request<T>): NetlinkError | undefined {
    this.queue(0, request);
    return this.finish().get(0);
  }

  /** Sends one request and gives every message of its answer to `visit`. Not for dumps. */
  ask<T, R>(request: Request<T>, reply: Codec<R>, visit: (value: R) => void): NetlinkError | undefined {
    return this.#converse(request, NLM_F.ACK, (payload) => visit(reply.read(payload)));
  }

  /** Streams a dump; `restart` is called when the kernel says that it changed meanwhile and it begins anew. */
  dump<T, R>(
    request: Request<T>,
    reply: Codec<R>,
    { visit, restart }: { visit: (value: R) => void; restart: () => void },
  ): NetlinkError | undefined {
    for (let attempt = 1; ; attempt++) {
      const error = this.#converse(request, NLM_F.DUMP, (payload) => visit(reply.read(payload)));
      if (error?.errno !== ERRNO.EINTR || attempt === DUMP_ATTEMPTS) return error;
      restart();
    }
  }

  #converse<T>(
    request: Request<T>,
    flags: number,
    visit: (payload: Reader) => void,
  ): NetlinkError | undefined {
    this.#flush();
    this.#encode(0, { ...request, flags: request.flags | flags });
    const pending = this.#pending[0];
    const sent = this.#send();
    if (sent !== undefined || pending === undefined) return sent;
    return this.#receive(pending.sequence, visit).error;
  }

  #encode<T>(id: number, { type, flags, codec, value }: Request<T>): void {
    const writer = this.#writer;
    const header = writer.skip(NLMSG_HDRLEN);
    const start = writer.at;
    codec.write(writer, value);
    this.#sequence = (this.#sequence + 1) >>> 0;
    writer.view.setUint32(header, writer.at - header, true);
    writer.view.setUint16(header + 4, type, true);
    writer.view.setUint16(header + 6, flags | NLM_F.REQUEST, true);
    writer.view.setUint32(header + 8, this.#sequence, true);
    this.#pending.push({ id, sequence: this.#sequence, start, end: writer.at, codec });
    writer.skip(align4(writer.at) - writer.at);
    this.counters.requests++;
  }

  /**
   * Only the last message asks for an acknowledgement: the kernel works a datagram off in order and answers
   * every failure unasked, so silence is success and the last answer closes the batch.
   */
  #flush(): void {
    const pending = this.#pending;
    const last = pending.at(-1);
    if (last === undefined) return;
    const { view } = this.#writer;
    const at = last.start - NLMSG_HDRLEN + 6;
    view.setUint16(at, view.getUint16(at, true) | NLM_F.ACK, true);
    const sent = this.#send();
    const { error, complete } = sent === undefined ? this.#receive(last.sequence, ignore) : lost(sent);
    if (error === undefined) return;
    if (complete) this.#failed.set(last.id, error);
    else for (const { id } of pending) if (!this.#failed.has(id)) this.#failed.set(id, error);
  }

  #send(): NetlinkError | undefined {
    const length = this.#writer.at;
    this.#writer.at = 0;
    this.#answered = this.#pending;
    this.#pending = [];
    const sent = this.#transport.send(this.#writer.bytes, length);
    return sent < 0 ? this.#count(netlinkError(-sent)) : undefined;
  }

  /** The requests whose bytes are still in the writer: errors are looked up in them. */
  #answered: Pending[] = [];

  /** Reads until the request `sequence` is answered. Earlier requests' failures are noted under their ids. */
  #receive(sequence: number, visit: (payload: Reader) => void): Answer {
    let interrupted = false;
    let outcome: NetlinkError | 'done' | undefined;
    for (let i = 0; outcome === undefined && i < RECEIVES_MAX; i++) {
      const length = this.#transport.receive(this.#buffer);
      if (length < 0) return lost(this.#count(netlinkError(-length)));
      try {
        eachMessage(this.#buffer, length, (header, payload) => {
          const asked = this.#answered.find((pending) => pending.sequence === header.sequence);
          if (asked === undefined) return;
          if ((header.flags & NLM_F.DUMP_INTR) !== 0) interrupted = true;
          if (header.type === NLMSG_ERROR || header.type === NLMSG_DONE) {
            const error = this.#readError(header, payload, asked);
            if (asked.sequence === sequence) outcome = error ?? 'done';
            else if (error !== undefined) this.#failed.set(asked.id, error);
          } else if (asked.sequence === sequence) {
            visit(payload);
          }
        });
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        return lost(this.#count(netlinkError(ERRNO.EIO, { text: error.message })));
      }
    }
    if (outcome === undefined) return lost(netlinkError(ERRNO.EIO, { text: 'endless answer' }));
    if (outcome !== 'done') return { error: outcome, complete: true };
    return { error: interrupted ? DUMP_CHANGED : undefined, complete: true };
  }

  #readError(header: MessageHeader, payload: Reader, asked: Pending): NetlinkError | undefined {
    const errno = -payload.view.getInt32(payload.take(4), true);
    if (errno === 0) return undefined;
    if ((header.flags & NLM_F_ACK_TLVS) === 0) return this.#count(netlinkError(errno));
    if (header.type === NLMSG_ERROR) {
      const echoed = payload.view.getUint32(payload.take(4), true);
      payload.take((header.flags & NLM_F_CAPPED) !== 0 ? NLMSG_HDRLEN - 4 : align4(echoed) - 4);
    }
    const { message, offset } = extendedAck.read(payload);
    return this.#count(netlinkError(errno, { text: message, path: this.#pathTo(offset, asked) }));
  }

  /** Walks the offset that the kernel blames back through the table of the request. */
  #pathTo(offset: number | undefined, asked: Pending): string | undefined {
    if (offset === undefined) return undefined;
    const reader = new Reader(this.#writer.bytes, asked.start, asked.end);
    return asked.codec.locate(reader, asked.start - NLMSG_HDRLEN + offset);
  }

  #count(error: NetlinkError): NetlinkError {
    const { errorsByErrno } = this.counters;
    errorsByErrno.set(error.errno, (errorsByErrno.get(error.errno) ?? 0) + 1);
    return error;
  }
}
