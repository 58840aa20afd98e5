/**
 * Real etcd servers for tests: Debian's, on loopback, with their data in a temporary directory.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Subprocess } from 'bun';
import * as v from 'valibot';
import { programPath } from '../program-path.ts';
import type { Certificate } from './certificates.ts';

/** What a gateway says that was kept out by its own etcd and has not heard why; it does not change its mind. */
export const GATEWAY_CLOSED = 'connection closed';
const CLOSED_MS_MAX = 3_000;

/** An etcd that does not serve by then will not. */
const START_MS_MAX = 20_000;

/** What differs from a plain server. */
export interface EtcdOptions {
  /** Files for TLS between clients and server; the client has to have a certificate too. */
  readonly tls?: { readonly caFile: string; readonly server: Certificate; readonly client: Certificate };
  /** Where the server is reached; loopback if absent. */
  readonly host?: string;
  /** The command before `etcd`, such as one that enters a namespace. */
  readonly within?: readonly string[];
  /** Further flags. */
  readonly flags?: readonly string[];
}

const keyValueSchema = v.object({
  key: v.string(),
  value: v.optional(v.string(), ''),
  lease: v.optional(v.string(), '0'),
  create_revision: v.string(),
  mod_revision: v.string(),
});
const rangeSchema = v.object({ kvs: v.optional(v.array(keyValueSchema), []) });

/** A key as a test reads it. */
export interface StoredKey {
  readonly key: string;
  readonly value: string;
  readonly lease: string;
  readonly createRevision: number;
}

/** One member, which may be stopped and started again with its data. */
export class EtcdServer implements AsyncDisposable {
  readonly directory: string;
  readonly endpoint: string;
  readonly #options: EtcdOptions;
  readonly #host: string;
  readonly #port: number;
  readonly #peerUrl: string;
  #process: Subprocess | undefined;
  /** What requests of the test itself are made with. */
  authorization: string | undefined;

  constructor(options: EtcdOptions = {}) {
    this.directory = mkdtempSync(join(tmpdir(), 'flannelette-etcd-'));
    this.#options = options;
    this.#host = options.host ?? '127.0.0.1';
    this.#port = freePort();
    this.#peerUrl = `http://${this.#host}:${freePort()}`;
    this.endpoint = `${options.tls === undefined ? 'http' : 'https'}://${this.#host}:${this.#port}`;
  }

  /** Its name among members, and where they find it. */
  get member(): string {
    return `m${this.#port}=${this.#peerUrl}`;
  }

  /** The process that serves. */
  get process(): Subprocess {
    if (this.#process === undefined) throw new Error('etcd does not run');
    return this.#process;
  }

  /** Starts it; does not wait until it serves. */
  launch(cluster: string = this.member): void {
    const { tls, within = [], flags = [] } = this.#options;
    const secure =
      tls === undefined
        ? []
        : [
            ...['--cert-file', tls.server.certFile, '--key-file', tls.server.keyFile],
            ...['--trusted-ca-file', tls.caFile, '--client-cert-auth'],
          ];
    mkdirSync(join(this.directory, 'data'), { recursive: true, mode: 0o700 });
    this.#process = Bun.spawn(
      [
        ...['setpriv', '--pdeathsig', 'KILL', '--', ...within, programPath('etcd')],
        ...['--name', `m${this.#port}`, '--data-dir', join(this.directory, 'data')],
        ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
        ...['--listen-peer-urls', this.#peerUrl, '--initial-advertise-peer-urls', this.#peerUrl],
        ...['--initial-cluster', cluster, '--logger', 'zap', '--log-level', 'error'],
        ...secure,
        ...flags,
      ],
      { stdio: ['ignore', 'ignore', Bun.file(join(this.directory, 'log'))] },
    );
  }

  /** Waits until it takes part in a cluster that has a leader. */
  async serving(): Promise<void> {
    const deadlineMs = performance.now() + START_MS_MAX;
    let said = '';
    let closedSinceMs: number | undefined;
    while (performance.now() < deadlineMs) {
      try {
        // Also without a user: who is let in can be told what it is not allowed.
        said = await (await this.#fetch('/v3/maintenance/status', '{}')).text();
        // One whose own certificate does not serve its gateway answers nothing more than that.
        if (/"leader"|user name is empty|broken pipe|bad certificate/.test(said)) return;
      } catch (error) {
        said = String(error);
      }
      if (!said.includes(GATEWAY_CLOSED)) closedSinceMs = undefined;
      else closedSinceMs ??= performance.now();
      if (closedSinceMs !== undefined && performance.now() - closedSinceMs > CLOSED_MS_MAX) break;
      await Bun.sleep(20);
    }
    throw new Error(`etcd does not serve: ${said}`);
  }

  /** Starts it, and waits. */
  async start(): Promise<void> {
    this.launch();
    await this.serving();
  }

  /** Ends the process; the data stays. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#process?.kill(signal);
    await this.#process?.exited;
    this.#process = undefined;
  }

  /** Forgets all data. */
  wipe(): void {
    rmSync(join(this.directory, 'data'), { recursive: true, force: true });
  }

  /** Asks the gateway. */
  async ask(path: string, body: unknown): Promise<unknown> {
    const answer = await this.#fetch(path, JSON.stringify(body));
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  /** Writes a key as somebody else would. */
  async put(key: string, value: string, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.ask('/v3/kv/put', { key: base64(key), value: base64(value), ...more });
  }

  /** Deletes a key. */
  async delete(key: string): Promise<void> {
    await this.ask('/v3/kv/deleterange', { key: base64(key) });
  }

  /** All keys below a text. */
  async keys(below: string): Promise<StoredKey[]> {
    const answer = await this.ask('/v3/kv/range', { key: base64(below), range_end: base64(`${below}\x7f`) });
    return v.parse(rangeSchema, answer).kvs.map((each) => ({
      key: Buffer.from(each.key, 'base64').toString(),
      value: Buffer.from(each.value, 'base64').toString(),
      lease: each.lease,
      createRevision: Number(each.create_revision),
    }));
  }

  /** What a lease was granted, and has left, in seconds. */
  async timeToLive(id: string): Promise<{ readonly granted: number; readonly left: number }> {
    const schema = v.object({ TTL: v.string(), grantedTTL: v.optional(v.string(), '0') });
    const { TTL, grantedTTL } = v.parse(schema, await this.ask('/v3/lease/timetolive', { ID: id }));
    return { granted: Number(grantedTTL), left: Number(TTL) };
  }

  /** The newest revision. */
  async revision(): Promise<number> {
    const schema = v.object({ header: v.object({ revision: v.string() }) });
    return Number(v.parse(schema, await this.ask('/v3/kv/range', { key: base64('x') })).header.revision);
  }

  /** Forgets everything that was before now. */
  async compact(): Promise<void> {
    await this.ask('/v3/kv/compaction', { revision: String(await this.revision()), physical: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  #fetch(path: string, body: string): Promise<Response> {
    const { tls } = this.#options;
    const files = tls && {
      ca: Bun.file(tls.caFile),
      cert: Bun.file(tls.client.certFile),
      key: Bun.file(tls.client.keyFile),
    };
    const headers = this.authorization === undefined ? {} : { authorization: this.authorization };
    return fetch(`${this.endpoint}${path}`, {
      method: 'POST',
      body,
      headers,
      signal: AbortSignal.timeout(5_000),
      ...(files === undefined ? {} : { tls: files }),
    });
  }
}

/** One server that runs. */
export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdServer> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new EtcdServer(options));
  await server.start();
  stack.move();
  return server;
}

/** Text as the gateway takes bytes. */
export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function freePort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
