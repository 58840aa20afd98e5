/**
 * One client's connection through the fault proxy, and the connection to the server behind it.
 *
 * @module
 */
import { connect, type TLSSocket } from 'node:tls';
import { type CannedAnswer, formatAnswer } from './canned-answer.ts';
import { formatHead, headLength, parseHead, type RequestHead } from './http-head.ts';

/** What is to become of one request. */
export type Fate =
  | { readonly kind: 'pass' }
  | { readonly kind: 'answer'; readonly answer: CannedAnswer }
  /** The answer's head and so many bytes of its body as they are on the wire, then the connection is gone. */
  | { readonly kind: 'cut'; readonly bodyBytes: number }
  /** The answer's head, then nothing, and the connection stays. */
  | { readonly kind: 'mute' }
  /** Not even that. */
  | { readonly kind: 'silence' };

/** Where the server is, and how the proxy shows who it is. */
export interface Upstream {
  readonly port: number;
  readonly caPem: string;
  /** The proxy's own certificate, with which it may name the user. */
  readonly cert: string;
  readonly key: string;
}

/** What a connection asks of the proxy. */
export interface ProxyHooks {
  /** What is to become of a request that has just come. */
  readonly fateOf: (head: RequestHead) => Fate | Promise<Fate>;
  readonly upstream: () => Upstream;
  readonly closed: (connection: ProxyConnection) => void;
}

/** From the last byte of an answer that is cut to the end of the connection. */
const CUT_DELAY_MS = 50;

/** Only the proxy says who somebody is. */
const IDENTITY_FIELDS = /^x-remote-/i;

/** One connection. Requests on it come one after the other. */
export class ProxyConnection {
  readonly #client: TLSSocket;
  readonly #hooks: ProxyHooks;
  /** Who the client is by its certificate, as fields of a request; none if it has no certificate. */
  readonly #identity: readonly string[];
  #server: TLSSocket | undefined;
  #received: Buffer = Buffer.alloc(0);
  /** How much of the request's body has not come yet. */
  #bodyLeft = 0;
  #busy = false;
  #frozen = false;
  #fate: Fate = { kind: 'pass' };
  #answerHead: Buffer | undefined = Buffer.alloc(0);
  #answerBytes = 0;

  constructor(client: TLSSocket, hooks: ProxyHooks) {
    this.#client = client;
    this.#hooks = hooks;
    this.#identity = client.authorized ? identityOf(client) : [];
    client.on('data', (bytes: Buffer) => this.#fromClient(bytes));
    client.on('error', () => this.destroy());
    client.on('close', () => this.destroy());
  }

  /** Nothing passes any more, in either direction, and nobody is told. */
  freeze(): void {
    this.#frozen = true;
  }

  /** Both connections end. */
  destroy(): void {
    this.#client.destroy();
    this.#server?.destroy();
    this.#hooks.closed(this);
  }

  #fromClient(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    // What goes wrong in here is the client's end: it sees a connection that breaks.
    this.#work().catch(() => this.destroy());
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (!this.#frozen && this.#received.length > 0) {
      if (this.#bodyLeft > 0) this.#passBody();
      else if (!(await this.#passHead())) break;
    }
    this.#busy = false;
  }

  #passBody(): void {
    const body = this.#received.subarray(0, this.#bodyLeft);
    this.#received = this.#received.subarray(body.length);
    this.#bodyLeft -= body.length;
    if (this.#fate.kind !== 'answer' && this.#fate.kind !== 'silence') this.#server?.write(body);
  }

  async #passHead(): Promise<boolean> {
    const length = headLength(this.#received);
    if (length === 0) return false;
    const head = parseHead(this.#received.subarray(0, length));
    this.#received = this.#received.subarray(length);
    this.#bodyLeft = head.bodyLength;
    this.#fate = await this.#hooks.fateOf(head);
    this.#answerHead = Buffer.alloc(0);
    this.#answerBytes = 0;
    if (this.#frozen || this.#fate.kind === 'silence') return true;
    if (this.#fate.kind === 'answer') this.#client.write(formatAnswer(this.#fate.answer));
    else this.#toServer(formatHead(head, { without: IDENTITY_FIELDS, added: this.#identity }));
    return true;
  }

  #toServer(bytes: Buffer): void {
    this.#server ??= this.#connect();
    this.#server.write(bytes);
  }

  #connect(): TLSSocket {
    const { port, caPem: ca, cert, key } = this.#hooks.upstream();
    const own = this.#identity.length > 0 ? { cert, key } : {};
    const server = connect({ host: '127.0.0.1', port, ca, ...own, ALPNProtocols: ['http/1.1'] });
    server.on('data', (bytes: Buffer) => this.#fromServer(bytes));
    server.on('error', () => this.destroy());
    server.on('close', () => {
      if (!this.#frozen) this.#client.end();
    });
    return server;
  }

  #fromServer(bytes: Buffer): void {
    if (this.#frozen) return;
    const { head, body } = this.#splitAnswer(bytes);
    if (head.length > 0) this.#client.write(head);
    if (body.length === 0 || this.#fate.kind === 'mute') return;
    if (this.#fate.kind !== 'cut') {
      this.#client.write(body);
      return;
    }
    const allowed = body.subarray(0, this.#fate.bodyBytes - this.#answerBytes);
    this.#answerBytes += allowed.length;
    this.#client.write(allowed);
    if (this.#answerBytes < this.#fate.bodyBytes) return;
    // Nothing more passes; but what has passed is to be read before the end is heard, which takes all along.
    this.freeze();
    setTimeout(() => this.destroy(), CUT_DELAY_MS);
  }

  /** Keeps a head until it is whole. */
  #splitAnswer(bytes: Buffer): { head: Buffer; body: Buffer } {
    const none = Buffer.alloc(0);
    if (this.#answerHead === undefined) return { head: none, body: bytes };
    const all = Buffer.concat([this.#answerHead, bytes]);
    const length = headLength(all);
    this.#answerHead = length === 0 ? all : undefined;
    if (length === 0) return { head: none, body: none };
    return { head: all.subarray(0, length), body: all.subarray(length) };
  }
}

/** As a front proxy tells it to the server (`--requestheader-client-ca-file`). */
function identityOf(client: TLSSocket): string[] {
  const subject = client.getPeerCertificate().subject;
  if (subject === undefined) return [];
  const groups = [subject.O ?? []].flat();
  return [`X-Remote-User: ${subject.CN}`, ...groups.map((group) => `X-Remote-Group: ${group}`)];
}
