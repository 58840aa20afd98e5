/**
 * A proxy before the API server that shows what a healthy server does not: refusals, answers that break off,
 * connections that are half open.
 *
 * It has a certificate of the cluster's authority. A client's certificate it hands on as a front proxy does, in header
 * fields; tokens pass as they are.
 *
 * @module
 */
import { createServer as createPlainServer, type Server, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { CannedAnswer } from './canned-answer.ts';
import type { Cluster } from './cluster.ts';
import { freePort } from './free-port.ts';
import type { RequestHead } from './http-head.ts';
import { type Fate, ProxyConnection, type Upstream } from './proxy-connection.ts';

/** A request as the proxy saw it. */
export interface SeenRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** By `performance.now()`. */
  readonly atMs: number;
}

/** Which requests something is for. */
export type Match = (request: Pick<SeenRequest, 'method' | 'path'>) => boolean;

/** Any request. */
export const ANY: Match = () => true;

/** A watch, with or without a list before it. */
export const WATCH: Match = ({ path }) => /[?&]watch=(true|1)\b/.test(path);

/** What becomes of connections. */
type Mode = 'pass' | 'refuse' | 'vanish' | 'stall';

/** Something that is to be done to some requests, so many times. */
interface Plan {
  readonly match: Match;
  readonly fate: Fate;
  left: number;
}

/** `await using proxy = await FaultProxy.start(cluster)` */
export class FaultProxy implements AsyncDisposable {
  /** Waits so long before it hands on a request. */
  delayMs = 0;
  readonly port: number;
  readonly #cluster: Cluster;
  readonly #connections = new Set<ProxyConnection>();
  /** Connections that nobody answers. */
  readonly #held = new Set<Socket>();
  readonly #seen: SeenRequest[] = [];
  #plans: Plan[] = [];
  #mode: Mode = 'refuse';
  #listener: Server | undefined;

  private constructor(cluster: Cluster, port: number) {
    this.#cluster = cluster;
    this.port = port;
  }

  /** Starts one that passes everything. */
  static async start(cluster: Cluster): Promise<FaultProxy> {
    const proxy = new FaultProxy(cluster, await freePort());
    await proxy.pass();
    return proxy;
  }

  /** `https://127.0.0.1:PORT` */
  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** What came, oldest first. */
  get requests(): readonly SeenRequest[] {
    return this.#seen;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#connections.size + this.#held.size;
  }

  /** The next requests are answered by this, and do not reach the server. */
  answer(count: number, answer: CannedAnswer, match: Match = ANY): void {
    this.#plans.push({ match, left: count, fate: { kind: 'answer', answer } });
  }

  /** The answer to the next request breaks off after so many bytes of its body, as they are on the wire. */
  cut(bodyBytes: number, match: Match = ANY): void {
    this.#plans.push({ match, left: 1, fate: { kind: 'cut', bodyBytes } });
  }

  /** The answers to the next requests begin, and then nothing comes, while the connection stays open. */
  mute(count: number, match: Match = WATCH): void {
    this.#plans.push({ match, left: count, fate: { kind: 'mute' } });
  }

  /** The next requests are taken and not answered. */
  ignore(count: number, match: Match = ANY): void {
    this.#plans.push({ match, left: count, fate: { kind: 'silence' } });
  }

  /** Forgets what was to be done to requests. */
  forget(): void {
    this.#plans = [];
  }

  /** Ends all connections at once; new ones work. */
  drop(): void {
    for (const connection of this.#connections) connection.destroy();
    for (const socket of this.#held) socket.destroy();
  }

  /**
   * Everything passes again, on new connections: one that was half open stays that. The proxy's certificate is then of
   * the authority that the cluster has by now.
   */
  async pass(): Promise<void> {
    this.#mode = 'pass';
    const { certificatePem: cert, keyPem: key } = this.#cluster.plane.issueServing();
    const ca = this.#cluster.plane.clients.certificatePem;
    const tls = { cert, key, ca, requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
    const hooks = {
      fateOf: (head: RequestHead) => this.#fateOf(head),
      upstream: () => this.#upstream(),
      closed: (connection: ProxyConnection) => this.#connections.delete(connection),
    };
    await this.#listen(
      createServer(tls, (socket) => {
        const connection = new ProxyConnection(socket, hooks);
        this.#connections.add(connection);
        // It may have been on its way when the mode changed.
        if (this.#mode === 'refuse') connection.destroy();
        if (this.#mode === 'vanish') connection.freeze();
      }),
    );
  }

  /** Nobody listens, and what was connected is not any more. */
  async refuse(): Promise<void> {
    this.#mode = 'refuse';
    this.drop();
    await this.#listen(undefined);
  }

  /** As when a cable is pulled behind a switch: connections stay and carry nothing; new ones are not even greeted. */
  async vanish(): Promise<void> {
    this.#mode = 'vanish';
    this.#freezeAll();
    await this.#listen(
      createPlainServer((socket) => {
        this.#held.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => this.#held.delete(socket));
      }),
    );
  }

  /** As a server that hangs: connections stay and carry nothing; new ones are taken, and their requests not answered. */
  stall(): void {
    this.#freezeAll();
    this.#mode = 'stall';
  }

  /** Ends it with all connections. */
  async close(): Promise<void> {
    await this.refuse();
  }

  /** See {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #freezeAll(): void {
    for (const connection of this.#connections) connection.freeze();
  }

  /** Existing connections stay when another listener takes the port. */
  async #listen(listener: Server | undefined): Promise<void> {
    const listening = Promise.withResolvers<void>();
    const before = this.#listener;
    this.#listener = listener;
    // A server's end is told when its last connection ends, which may be never: its port is free at once.
    before?.close();
    if (listener === undefined) return;
    listener.once('error', listening.reject);
    listener.listen(this.port, this.#cluster.plane.bindAddress, listening.resolve);
    await listening.promise;
  }

  async #fateOf({ method, path }: RequestHead): Promise<Fate> {
    this.#seen.push({ method, path, atMs: performance.now() });
    if (this.#mode === 'stall') return { kind: 'silence' };
    const plan = this.#plans.find(({ match, left }) => left > 0 && match({ method, path }));
    if (plan !== undefined) plan.left -= 1;
    if (this.delayMs > 0) await Bun.sleep(this.delayMs);
    return plan?.fate ?? { kind: 'pass' };
  }

  #upstream(): Upstream {
    const { plane, port, caPem } = this.#cluster;
    const { certificatePem: cert, keyPem: key } = plane.frontProxies.issue({
      usage: 'client',
      commonName: 'fault-proxy',
    });
    return { port, caPem, cert, key };
  }
}
