/**
 * etcd and kube-apiserver as processes, with an authority of their own. Nothing else of Kubernetes runs: no
 * controller gives a node its podCIDR, no kubelet reports.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiServer, askApi } from './api-client.ts';
import { Authority, type KeyPair, makeSigningKey, type Validity } from './certificates.ts';
import { ServerProcess } from './server-process.ts';

/** The issuer and the audience of service accounts' tokens. */
export const ISSUER = 'https://kubernetes.default.svc';

/** The programs, by their paths. */
export interface ServerPrograms {
  readonly apiserver: string;
  readonly etcd: string;
}

/** Where the servers listen. */
export interface ServerPorts {
  readonly apiserver: number;
  readonly etcd: number;
  /** etcd's for its like, of which there are none. */
  readonly etcdPeer: number;
}

/** What a {@link ControlPlane} is made from. */
export interface ControlPlaneOptions {
  readonly programs: ServerPrograms;
  readonly ports: ServerPorts;
  /** Everything is below it. */
  readonly directory: string;
  /** Where the server listens besides loopback: it listens everywhere if there are any. */
  readonly addresses: readonly string[];
  /** Further flags of kube-apiserver. */
  readonly flags?: readonly string[];
}

/** Both servers. */
export class ControlPlane {
  /** Issues certificates of users. */
  readonly clients = new Authority('flannelette-clients');
  /** Signs tokens of service accounts. */
  readonly signing = makeSigningKey();
  readonly admin: KeyPair;
  /** Issues the server's certificates. */
  protected servers = new Authority('flannelette-servers-1');
  readonly #options: ControlPlaneOptions;
  #etcd: ServerProcess | undefined;
  #apiserver: ServerProcess | undefined;

  /** Neither runs yet. */
  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    const organizations = ['system:masters'];
    this.admin = this.clients.issue({ usage: 'client', commonName: 'admin', organizations });
  }

  get directory(): string {
    return this.#options.directory;
  }

  get port(): number {
    return this.#options.ports.apiserver;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** Whom to trust for the server's certificate. */
  get caPem(): string {
    return this.servers.certificatePem;
  }

  /** Where and whom to ask. */
  get server(): ApiServer {
    return { url: this.url, caPem: this.caPem };
  }

  /** Where the servers of this cluster listen. */
  get bindAddress(): string {
    const { addresses } = this.#options;
    if (addresses.length === 0) return '127.0.0.1';
    return addresses.some((address) => address.includes(':')) ? '::' : '0.0.0.0';
  }

  get etcdUrl(): string {
    return `http://127.0.0.1:${this.#options.ports.etcd}`;
  }

  /** Starts both, and waits until the server says that it is ready. */
  async start(): Promise<void> {
    this.writeFiles();
    try {
      await this.startEtcd();
      await this.startServer();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Starts etcd, with what it knew before. */
  async startEtcd(): Promise<void> {
    const { programs, ports, directory } = this.#options;
    const command = [programs.etcd, ...etcdFlags(programs.etcd, ports)];
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
    const { programs, directory, flags = [] } = this.#options;
    const { port, etcdUrl, bindAddress } = this;
    const command = [programs.apiserver, ...serverFlags({ port, etcdUrl, bindAddress }), ...flags];
    this.#apiserver = new ServerProcess({ command, directory, logFile: join(directory, 'apiserver.log') });
    await this.untilServer(() => this.#isReady());
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

  /** A certificate that a server of this cluster may show. */
  issueServing(validity?: Validity): KeyPair {
    return this.servers.issue({
      ...(validity === undefined ? {} : { validity }),
      usage: 'server',
      commonName: 'kube-apiserver',
      hosts: ['localhost', 'kubernetes.default.svc', '127.0.0.1', '::1', ...this.#options.addresses],
    });
  }

  /** Waits until `look` says yes of the server that runs. */
  protected async untilServer(look: () => Promise<boolean>): Promise<void> {
    await this.#apiserver?.up(look);
  }

  /** Writes what the servers are started with. */
  protected writeFiles(): void {
    mkdirSync(this.directory, { recursive: true });
    const serving = this.issueServing();
    const files = {
      'serving.key': serving.keyPem,
      'serving.crt': serving.certificatePem,
      'clients.crt': this.clients.certificatePem,
      'tokens.key': this.signing.keyPem,
      'tokens.pub': this.signing.publicPem,
    };
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(this.directory, name), text, { mode: 0o600 });
  }

  async #isReady(): Promise<boolean> {
    return (await askApi(this.server, this.admin, { path: '/readyz' })).ok;
  }
}

/** One member that talks to nobody. */
function etcdFlags(program: string, { etcd, etcdPeer }: ServerPorts): string[] {
  const help = Bun.spawnSync([program, '--help'], { stderr: 'pipe' });
  // What a power cut would lose is nothing here. Debian's 3.4 has no such flag.
  const unsafe = `${help.stdout}${help.stderr}`.includes('--unsafe-no-fsync') ? ['--unsafe-no-fsync'] : [];
  const clientUrl = `http://127.0.0.1:${etcd}`;
  const peerUrl = `http://127.0.0.1:${etcdPeer}`;
  return [
    '--name=only',
    '--data-dir=etcd',
    ...unsafe,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=only=${peerUrl}`,
    '--log-level=warn',
  ];
}

/** As a cluster has it, less what costs time and shows nothing: nothing is compacted. */
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
