/**
 * Requests, acknowledgements and dumps over one netlink socket. Everything is synchronous: the kernel has
 * answered by the time `send` returns (`netlink(7)`), so nothing waits.
 *
 * @module
 */
import { NLMSG_DONE, NLMSG_ERROR, NLMSG_MIN_TYPE, readAcknowledgement } from './acknowledgement.ts';
import type { Codec } from './codec.ts';
import { ERRNO, type NetlinkError, netlinkError } from './error.ts';
import { eachMessage, type MessageHeader } from './frame.ts';
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

/** Enough for the largest dump datagram (32 KiB) and for a batch. */
const BUFFER_BYTES = 64 * 1024;
/** Bounds what is lost when the kernel cannot answer, and how long the loop is held. */
const MESSAGES_PER_SEND = 64;
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

/** One instruction of a socket's filter (`struct sock_filter`, `linux/filter.h`). */
export interface FilterInstruction {
  readonly code: number;
  /** How many instructions to skip if the comparison holds, and if it does not. */
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** One request: a message of type `type` with a payload. */
export interface Request<T> {
  readonly type: number;
  /** NLM_F_* besides REQUEST and ACK. */
  readonly flags: number;
  readonly codec: Codec<T>;
  readonly value: T;
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

/** What is being read, and what of it is known so far. */
interface Conversation {
  /** Of the request whose answer ends it. */
  readonly sequence: number;
  readonly visit: (payload: Reader) => void;
  readonly answer: { outcome: NetlinkError | 'done' | undefined; interrupted: boolean };
}

const DUMP_CHANGED = netlinkError(ERRNO.EINTR, { text: 'dump changed while it was read' });
/** Errors of `receive` after which there may be more to receive. */
const OVERRUN: ReadonlySet<number> = new Set([ERRNO.ENOBUFS, ERRNO.EMSGSIZE, ERRNO.EINTR]);

/** An acknowledgement has nothing but its errno. */
function ignore(): void {}

/** Counts for the metrics. */
export interface SessionCounters {
  requests: number;
  readonly errorsByErrno: Map<number, number>;
}

/** One socket's requests. Not re-entrant: who is visited by an answer must not use the session. */
export class Session {
  readonly counters: SessionCounters = { requests: 0, errorsByErrno: new Map() };
  readonly #transport: Transport;
  readonly #writer: Writer;
  readonly #buffer: Uint8Array;
  #sequence = 0;
  #pending: Pending[] = [];
  /** The requests whose bytes are still in the writer: errors are looked up in them. */
  #answered: readonly Pending[] = [];
  #reading = false;
  #failed = new Map<number, NetlinkError>();

  /** The buffer is for what is sent and again for what comes: dumps are cut to what their reader takes, down to 8 KiB. */
  constructor(transport: Transport, bufferBytes = BUFFER_BYTES) {
    this.#transport = transport;
    this.#writer = new Writer(bufferBytes);
    this.#buffer = new Uint8Array(bufferBytes);
  }

  /** Adds a request to the batch under the caller's `id`; sends when enough have come together. */
  queue<T>(id: number, request: Request<T>): void {
    this.#encode(id, request);
    if (this.#pending.length >= MESSAGES_PER_SEND || this.#writer.at >= this.#buffer.length / 2)
      this.#flush();
  }

  /** Sends what is left of the batch and gives back what failed, by id. What is not in it succeeded. */
  finish(): ReadonlyMap<number, NetlinkError> {
    this.#flush();
    const failed = this.#failed;
    this.#failed = new Map();
    return failed;
  }

  /**
   * Sends one datagram and gives back what failed, by index: then nothing of it was done. The last message has no
   * answer, as NFNL_MSG_BATCH_END has none on kernels before 6.10. Not while a batch is queued.
   */
  transact(requests: readonly Request<unknown>[]): ReadonlyMap<number, NetlinkError> {
    for (const [i, request] of requests.entries()) this.#encode(i, request);
    this.#flush(-2);
    return this.finish();
  }

  /** Sends one request and waits for its acknowledgement. A batch before it is sent first, its failures kept. */
  execute<T>(request: Request<T>): NetlinkError | undefined {
    return this.#converse(request, NLM_F.ACK, ignore);
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
    if (this.#reading) throw new Error('A netlink session was used while its answer was read');
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
  #flush(answered = -1): void {
    const pending = this.#pending;
    const last = pending.at(answered);
    if (last === undefined) return;
    const { view } = this.#writer;
    const at = last.start - NLMSG_HDRLEN + 6;
    view.setUint16(at, view.getUint16(at, true) | NLM_F.ACK, true);
    const sent = this.#send();
    const { error, complete } =
      sent === undefined ? this.#receive(last.sequence, ignore) : { error: sent, complete: false };
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

  /**
   * Reads until the request `sequence` is answered. Earlier requests' failures are noted under their ids, also
   * after an overrun: what is left in the queue is still true, only silence means nothing any more.
   */
  #receive(sequence: number, visit: (payload: Reader) => void): Answer {
    const answer: Conversation['answer'] = { outcome: undefined, interrupted: false };
    let lost: NetlinkError | undefined;
    this.#reading = true;
    try {
      for (let i = 0; answer.outcome === undefined && i < RECEIVES_MAX; i++) {
        const length = this.#transport.receive(this.#buffer);
        if (length >= 0) {
          this.#readDatagram(length, { sequence, visit, answer });
          continue;
        }
        const text = length === -ERRNO.EAGAIN ? 'no answer' : undefined;
        lost ??= this.#count(netlinkError(-length, { text }));
        if (!OVERRUN.has(-length)) break;
      }
    } catch (error) {
      this.#drain();
      if (!(error instanceof DecodeError)) throw error;
      lost = this.#count(netlinkError(ERRNO.EIO, { text: error.message }));
    } finally {
      this.#reading = false;
    }
    const { outcome, interrupted } = answer;
    if (lost !== undefined) return { error: lost, complete: false };
    const endless = { text: 'endless answer' };
    if (outcome === undefined)
      return { error: this.#count(netlinkError(ERRNO.EIO, endless)), complete: false };
    if (outcome !== 'done') return { error: outcome, complete: true };
    return { error: interrupted ? DUMP_CHANGED : undefined, complete: true };
  }

  #readDatagram(length: number, { sequence, visit, answer }: Conversation): void {
    eachMessage(this.#buffer, length, (header, payload) => {
      // What nobody waits for is left from a conversation that broke off.
      const asked = this.#answered.find((pending) => pending.sequence === header.sequence);
      if (asked === undefined) return;
      if ((header.flags & NLM_F.DUMP_INTR) !== 0) answer.interrupted = true;
      if (header.type === NLMSG_ERROR || header.type === NLMSG_DONE) {
        const error = this.#readError(header, payload, asked);
        if (asked.sequence === sequence) answer.outcome = error ?? 'done';
        else if (error !== undefined) this.#failed.set(asked.id, error);
      } else if (asked.sequence === sequence && header.type >= NLMSG_MIN_TYPE) {
        visit(payload);
      }
    });
  }

  #readError(header: MessageHeader, payload: Reader, asked: Pending): NetlinkError | undefined {
    const { errno, text, offset } = readAcknowledgement(payload, header);
    if (errno === 0) return undefined;
    return this.#count(netlinkError(errno, { text, path: this.#pathTo(offset, asked) }));
  }

  /**
   * Drops what is left of an answer: a dump of which nobody reads the rest would stay open, and the next one
   * would be refused with EBUSY.
   */
  #drain(): void {
    for (let i = 0, length = 0; i < RECEIVES_MAX && (length >= 0 || OVERRUN.has(-length)); i++)
      length = this.#transport.receive(this.#buffer);
  }

  /** Walks the offset that the kernel blames back through the table of the request. */
  #pathTo(offset: number | undefined, asked: Pending): string | undefined {
    if (offset === undefined) return undefined;
    const reader = new Reader(this.#writer.bytes, asked.start, asked.end);
    return asked.codec.name + asked.codec.locate(reader, asked.start - NLMSG_HDRLEN + offset);
  }

  #count(error: NetlinkError): NetlinkError {
    const { errorsByErrno } = this.counters;
    errorsByErrno.set(error.errno, (errorsByErrno.get(error.errno) ?? 0) + 1);
    return error;
  }
}
