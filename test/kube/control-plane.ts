/**
 * etcd and kube-apiserver as processes, with an authority of their own. Nothing else of Kubernetes runs: no
 * controller gives a node its podCIDR, no kubelet reports.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { writeAtomically } from '../../src/write-file.ts';
import type { Binaries } from './binaries.ts';
import { Authority, type KeyPair, makeSigningKey, type Validity } from './certificates.ts';
import { freePort, ServerProcess } from './server-process.ts';

/** The issuer and the audience of service accounts' tokens. */
export const ISSUER = 'https://kubernetes.default.svc';

/** What {@link ControlPlane.start} needs. */
export interface ControlPlaneOptions {
  readonly binaries: Binaries;
  /** Everything is below it. */
  readonly directory: string;
  /** Where the server listens besides loopback: it listens everywhere if there are any. */
  readonly addresses: readonly string[];
  /** Further flags of kube-apiserver. */
  readonly flags: readonly string[];
}

/** Both servers. */
export class ControlPlane {
  readonly port: number;
  /** Issues certificates of users. */
  readonly clients = new Authority('flannelette-test-clients');
  /** Issues those of proxies that may say in whose name they ask. */
  readonly frontProxies = new Authority('flannelette-test-front-proxies');
  /** Signs tokens of service accounts. */
  readonly signing = makeSigningKey();
  readonly admin: KeyPair;
  readonly #options: ControlPlaneOptions;
  readonly #etcdPorts: EtcdPorts;
  #servers = new Authority('flannelette-test-servers-1');
  #authorities = 1;
  #etcd: ServerProcess | undefined;
  #apiserver: ServerProcess | undefined;

  private constructor(options: ControlPlaneOptions, port: number, etcdPorts: EtcdPorts) {
    this.#options = options;
    this.port = port;
    this.#etcdPorts = etcdPorts;
    this.admin = this.clients.issue({
      usage: 'client',
      commonName: 'admin',
      organizations: ['system:masters'],
    });
  }

  /** Starts both, and waits until the server says that it is ready. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const etcdPorts = { client: await freePort(), peer: await freePort() };
    const plane = new ControlPlane(options, await freePort(), etcdPorts);
    plane.#writeFiles();
    try {
      await plane.startEtcd();
      await plane.startServer();
      return plane;
    } catch (error) {
      await plane.stop();
      throw error;
    }
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Whom to trust for the server's certificate. */
  get caPem(): string {
    return this.#servers.certificatePem;
  }

  /** Where the servers of this cluster listen. */
  get bindAddress(): string {
    return this.#options.addresses.length > 0 ? '0.0.0.0' : '127.0.0.1';
  }

  get etcdUrl(): string {
    return `http://127.0.0.1:${this.#etcdPorts.client}`;
  }

  /** Starts etcd, with what it knew before. */
  async startEtcd(): Promise<void> {
    const { binaries, directory } = this.#options;
    const command = [binaries.etcd, ...etcdFlags(binaries.etcd, this.#etcdPorts)];
    this.#etcd = new ServerProcess({ command, directory, logFile: join(directory, 'etcd.log') });
    await this.#etcd.up(async () => (await fetch(`${this.etcdUrl}/health`)).ok);
  }

  /** Ends etcd. The server stays, and fails what it is asked. */
  async stopEtcd(): Promise<void> {
    await this.#etcd?.stop();
    this.#etcd = undefined;
  }

  /** Starts the server, on the same port as before. */
  async startServer(): Promise<void> {
    const { binaries, directory } = this.#options;
    const { port, etcdUrl, bindAddress } = this;
    const flags = serverFlags({ port, etcdUrl, bindAddress });
    const command = [binaries.apiserver, ...flags, ...this.#options.flags];
    this.#apiserver = new ServerProcess({ command, directory, logFile: join(directory, 'apiserver.log') });
    await this.#apiserver.up(() => this.#isReady());
  }

  /** Ends the server, by `SIGKILL` without a word to its clients. */
  async stopServer(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.#apiserver?.stop(signal);
    this.#apiserver = undefined;
  }

  /** Ends both. */
  async stop(): Promise<void> {
    await this.stopServer('SIGKILL');
    await this.#etcd?.stop('SIGKILL');
    this.#etcd = undefined;
  }

  /** Gives the running server another certificate, of the same authority or of a new one. */
  async rotateServing(authority: 'same' | 'new', validity?: Validity): Promise<void> {
    if (authority === 'new') {
      this.#authorities += 1;
      this.#servers = new Authority(`flannelette-test-servers-${this.#authorities}`);
    }
    const pair = this.issueServing(validity);
    // It looks when a file changes, and keeps the pair that it has while key and certificate do not fit.
    this.#write('serving.key', pair.keyPem);
    this.#write('serving.crt', pair.certificatePem);
    const issued = new X509Certificate(pair.certificatePem).raw;
    await this.#apiserver?.up(async () => (await this.#servedCertificate()).equals(issued));
  }

  /** A certificate that a server of this cluster may show. */
  issueServing(validity?: Validity): KeyPair {
    return this.#servers.issue({
      ...(validity === undefined ? {} : { validity }),
      usage: 'server',
      commonName: 'kube-apiserver',
      hosts: ['localhost', 'kubernetes.default.svc', '127.0.0.1', '::1', ...this.#options.addresses],
    });
  }

  #writeFiles(): void {
    mkdirSync(this.#options.directory, { recursive: true });
    const serving = this.issueServing();
    this.#write('serving.key', serving.keyPem);
    this.#write('serving.crt', serving.certificatePem);
    this.#write('clients.crt', this.clients.certificatePem);
    this.#write('front-proxies.crt', this.frontProxies.certificatePem);
    this.#write('tokens.key', this.signing.keyPem);
    this.#write('tokens.pub', this.signing.publicPem);
  }

  #write(name: string, text: string): void {
    writeAtomically(join(this.#options.directory, name), { text, mode: 0o600 });
  }

  async #isReady(): Promise<boolean> {
    const { certificatePem: cert, keyPem: key } = this.admin;
    const response = await fetch(`${this.url}/readyz`, { tls: { ca: this.caPem, cert, key } });
    return response.ok;
  }

  /** What the server shows just now, as the bytes of the certificate. */
  #servedCertificate(): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const socket = connect({ host: '127.0.0.1', port: this.port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().raw);
      socket.destroy();
    });
    socket.once('error', reject);
    return promise;
  }
}

interface EtcdPorts {
  readonly client: number;
  readonly peer: number;
}

/** One member that talks to nobody. */
function etcdFlags(program: string, { client, peer }: EtcdPorts): string[] {
  const help = Bun.spawnSync([program, '--help'], { stderr: 'pipe' });
  // What a power cut would lose is nothing here. Debian's 3.4 has no such flag.
  const unsafe = `${help.stdout}${help.stderr}`.includes('--unsafe-no-fsync') ? ['--unsafe-no-fsync'] : [];
  const clientUrl = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  return [
    '--name=test',
    '--data-dir=etcd',
    ...unsafe,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=test=${peerUrl}`,
    '--log-level=warn',
  ];
}

/** As a cluster has it, less what costs time and shows nothing: compaction is the test's alone. */
function serverFlags(facts: { port: number; etcdUrl: string; bindAddress: string }): string[] {
  return [
    `--etcd-servers=${facts.etcdUrl}`,
    '--etcd-compaction-interval=0',
    `--bind-address=${facts.bindAddress}`,
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    `--secure-port=${facts.port}`,
    '--tls-cert-file=serving.crt',
    '--tls-private-key-file=serving.key',
    '--client-ca-file=clients.crt',
    '--requestheader-client-ca-file=front-proxies.crt',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    `--service-account-issuer=${ISSUER}`,
    '--service-account-key-file=tokens.pub',
    '--service-account-signing-key-file=tokens.key',
    '--service-cluster-ip-range=10.43.0.0/16',
    // Without it a server that is to end waits a minute for watches that nobody ends.
    '--shutdown-watch-termination-grace-period=1s',
    '--profiling=false',
    '--cert-dir=apiserver',
  ];
}
