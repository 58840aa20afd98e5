/**
 * A Kubernetes cluster for tests, of real parts: etcd and kube-apiserver, with TLS, RBAC and NodeRestriction.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { type ApiRequest, askApi, type Credentials } from '../../src/cli/demo/kube/api-client.ts';
import type { KeyPair, Subject, Validity } from '../../src/cli/demo/kube/certificates.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { type CredentialKind, writeKubeconfig } from './kubeconfig.ts';
import { type NodeOptions, nodeObject, nodeStatus } from './node-objects.ts';
import { REQUESTED_SECONDS_MIN, signToken } from './service-account-token.ts';
import { startTestPlane, type TestPlane } from './test-plane.ts';

/** What a cluster may be given. */
export interface ClusterOptions {
  /** Those of {@link findBinaries} if absent. */
  readonly binaries?: Binaries;
  /** Addresses besides loopback's that the server has, such as {@link LAB_ADDRESS}. */
  readonly addresses?: readonly string[];
  /** Further flags of kube-apiserver, such as {@link WITHOUT_STREAMING_LISTS}. */
  readonly flags?: readonly string[];
}

/** As servers before 1.32 are. */
export const WITHOUT_STREAMING_LISTS = '--feature-gates=WatchList=false';

/** Whose kubeconfig, and of which kind. */
export interface KubeconfigOptions {
  /** `system:serviceaccount:NAMESPACE:NAME` has tokens, everybody else certificates. */
  readonly user: string;
  readonly groups?: readonly string[];
  readonly kind: CredentialKind;
  /** How long the credentials are good for; an hour if absent. */
  readonly seconds?: number;
  /** Where to write it, also over an earlier one, whose credentials are rotated by that; a new file if absent. */
  readonly path?: string;
  /** Whom to ask instead of the server, such as a proxy. */
  readonly server?: string;
}

/** A node to be made. */
export interface NamedNode extends NodeOptions {
  readonly name: string;
}

const HOUR_S = 3_600;
/** So many requests at once keep the server busy; more only wait. */
const CONCURRENCY = 24;

const tokenSchema = v.looseObject({ status: v.looseObject({ token: v.string() }) });
const objectSchema = v.looseObject({ metadata: v.looseObject({ uid: v.string() }) });
const revisionSchema = v.looseObject({ header: v.looseObject({ revision: v.string() }) });

/** `await using cluster = await Cluster.start()` */
export class Cluster implements AsyncDisposable {
  /** Below it is everything that belongs to the cluster. */
  readonly directory: string;
  readonly #binaries: Binaries;
  readonly #plane: TestPlane;
  #files = 0;

  private constructor(directory: string, binaries: Binaries, plane: TestPlane) {
    this.directory = directory;
    this.#binaries = binaries;
    this.#plane = plane;
  }

  /** Starts one, and waits until it answers; that takes some seconds. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const { binaries = findBinaries(), addresses = [], flags = [] } = options;
    const directory = mkdtempSync(join(tmpdir(), 'flannelette-kube-'));
    try {
      return new Cluster(
        directory,
        binaries,
        await startTestPlane({ programs: binaries, directory, addresses, flags }),
      );
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** `https://127.0.0.1:PORT` */
  get url(): string {
    return this.#plane.url;
  }

  get port(): number {
    return this.#plane.port;
  }

  /** Whom to trust for the server's certificate. */
  get caPem(): string {
    return this.#plane.caPem;
  }

  /** The processes, the authorities, and ways to make them fail. */
  get plane(): TestPlane {
    return this.#plane;
  }

  /** Asks as an administrator. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<Response> {
    const type = contentType === undefined ? {} : { contentType };
    return this.ask(this.#plane.admin, { method, path, body, ...type });
  }

  /** Asks in somebody's name. */
  ask(credentials: Credentials, request: ApiRequest): Promise<Response> {
    return askApi(this.#plane.server, credentials, request);
  }

  /** Runs `kubectl` as an administrator, unless the arguments say otherwise, and gives back what it prints. */
  async kubectl(...args: readonly string[]): Promise<string> {
    const { PATH = '' } = process.env;
    const child = Bun.spawn([this.#binaries.kubectl, ...args], {
      env: { PATH, HOME: this.directory, KUBECONFIG: this.#adminKubeconfig() },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [printed, said] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    if ((await child.exited) === 0) return printed;
    throw new Error(`'kubectl ${args.join(' ')}' ended with ${child.exitCode}: ${said.trim()}`);
  }

  /** Writes a kubeconfig, with new credentials, and gives back its path. */
  async kubeconfig(options: KubeconfigOptions): Promise<string> {
    const { user, groups = [], kind, seconds = HOUR_S } = options;
    const path = options.path ?? this.#newFile();
    const server = {
      ...this.#plane.server,
      ...(options.server === undefined ? {} : { url: options.server }),
    };
    const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
    const credentials =
      namespace === undefined || name === undefined
        ? this.certificate({ commonName: user, organizations: groups }, seconds)
        : { token: await this.serviceAccountToken(namespace, name, seconds) };
    const expires = new Date(Date.now() + seconds * 1_000);
    writeKubeconfig({ path, server, kind, credentials, expires });
    return path;
  }

  /** A certificate of a user, whose groups are the organizations. */
  certificate(subject: Subject, seconds: number = HOUR_S): KeyPair {
    const now = Date.now();
    const validity = { notBefore: new Date(now - HOUR_S * 1_000), notAfter: new Date(now + seconds * 1_000) };
    return this.#plane.clients.issue({ ...subject, usage: 'client', validity });
  }

  /** A token of a service account that exists, made by the server unless it is to end sooner than that allows. */
  async serviceAccountToken(namespace: string, name: string, seconds: number = HOUR_S): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`;
    if (seconds < REQUESTED_SECONDS_MIN) {
      const { metadata } = v.parse(objectSchema, await this.#read('GET', path));
      return signToken(this.#plane.signing.key, { namespace, name, uid: metadata.uid, seconds });
    }
    const request = { spec: { expirationSeconds: seconds } };
    return v.parse(tokenSchema, await this.#read('POST', `${path}/token`, request)).status.token;
  }

  /** Makes a node, with its status. */
  async createNode(name: string, options: NodeOptions = {}): Promise<void> {
    const manager = options.fat === true ? 'k3s' : 'test';
    await this.#read('POST', `/api/v1/nodes?fieldManager=${manager}`, nodeObject(name, options));
    if (options.fat !== true) return;
    // A kubelet reports by patches, which the list of managed fields shows.
    const path = `/api/v1/nodes/${name}/status?fieldManager=kubelet`;
    await this.#read(
      'PATCH',
      path,
      { status: nodeStatus(name, options) },
      'application/strategic-merge-patch+json',
    );
  }

  /** Makes many nodes, some hundred a second. */
  async createNodes(nodes: readonly NamedNode[], { concurrency = CONCURRENCY } = {}): Promise<void> {
    const waiting = nodes.values();
    const work = async () => {
      for (const { name, ...options } of waiting) await this.createNode(name, options);
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  }

  /** Ends the server; see `ControlPlane.stopServer`. */
  stopServer(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    return this.#plane.stopServer(signal);
  }

  /** Starts it again on the same port. */
  startServer(): Promise<void> {
    return this.#plane.startServer();
  }

  /**
   * Gives the running server another certificate, if need be of a new authority, which {@link caPem} is then, or one
   * that is valid at other times, as it is for a node whose clock is off.
   */
  rotateServingCertificate(authority: 'same' | 'new' = 'same', validity?: Validity): Promise<void> {
    return this.#plane.rotateServing(authority, validity);
  }

  /**
   * Lets etcd forget all but what is there now. The server still knows what it has seen itself: a watch from before
   * gets 410 only after {@link startServer} too.
   */
  async compact(): Promise<void> {
    const key = Buffer.from('x').toString('base64');
    const { header } = v.parse(revisionSchema, await this.#askEtcd('range', { key }));
    await this.#askEtcd('compaction', { revision: header.revision, physical: true });
  }

  /** Ends its processes and removes its files. */
  async close(): Promise<void> {
    await this.#plane.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** See {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #newFile(): string {
    this.#files += 1;
    return join(this.directory, `kubeconfig-${this.#files}`);
  }

  /** Written for each command: whom to trust may be another by now. */
  #adminKubeconfig(): string {
    const path = join(this.directory, 'kubeconfig-admin');
    const credentials = this.#plane.admin;
    writeKubeconfig({
      path,
      server: this.#plane.server,
      kind: 'certificate',
      credentials,
      expires: undefined,
    });
    return path;
  }

  /** What must not fail. */
  async #read(method: string, path: string, body?: unknown, contentType?: string): Promise<unknown> {
    const response = await this.request(method, path, body, contentType);
    if (response.ok) return response.json();
    throw new Error(`${method} ${path} was answered by ${response.status}: ${await response.text()}`);
  }

  async #askEtcd(operation: string, body: unknown): Promise<unknown> {
    const url = `${this.#plane.etcdUrl}/v3/kv/${operation}`;
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    if (response.ok) return response.json();
    throw new Error(`etcd answered '${operation}' by ${response.status}: ${await response.text()}`);
  }
}
