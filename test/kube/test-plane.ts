/**
 * The servers of a test's cluster: what they show can be changed, and a proxy may ask in anybody's name.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Authority, type Validity } from '../../src/cli/demo/kube/certificates.ts';
import {
  ControlPlane,
  type ControlPlaneOptions,
  type ServerPrograms,
} from '../../src/cli/demo/kube/control-plane.ts';
import { writeAtomically } from '../../src/write-file.ts';
import { freePort } from './free-port.ts';

const FRONT_PROXY_FLAGS = [
  '--requestheader-client-ca-file=front-proxies.crt',
  '--requestheader-username-headers=X-Remote-User',
  '--requestheader-group-headers=X-Remote-Group',
  '--requestheader-extra-headers-prefix=X-Remote-Extra-',
];

/** What {@link startTestPlane} needs. */
export interface TestPlaneOptions {
  readonly programs: ServerPrograms;
  readonly directory: string;
  /** As {@link ControlPlaneOptions} has them. */
  readonly addresses: readonly string[];
  readonly flags: readonly string[];
}

/** Use {@link startTestPlane}. */
export class TestPlane extends ControlPlane {
  /** Issues the certificates of proxies that may say in whose name they ask. */
  readonly frontProxies = new Authority('flannelette-front-proxies');
  #authorities = 1;

  constructor(options: ControlPlaneOptions) {
    super({ ...options, flags: [...FRONT_PROXY_FLAGS, ...(options.flags ?? [])] });
  }

  /** Gives the running server another certificate, of the same authority or of a new one. */
  async rotateServing(authority: 'same' | 'new', validity?: Validity): Promise<void> {
    if (authority === 'new') {
      this.#authorities += 1;
      this.servers = new Authority(`flannelette-servers-${this.#authorities}`);
    }
    const pair = this.issueServing(validity);
    // It looks when a file changes, and keeps the pair that it has while key and certificate do not fit.
    this.#write('serving.key', pair.keyPem);
    this.#write('serving.crt', pair.certificatePem);
    const issued = new X509Certificate(pair.certificatePem).raw;
    await this.untilServer(async () => (await this.#servedCertificate()).equals(issued));
  }

  protected override writeFiles(): void {
    super.writeFiles();
    this.#write('front-proxies.crt', this.frontProxies.certificatePem);
  }

  #write(name: string, text: string): void {
    writeAtomically(join(this.directory, name), { text, mode: 0o600 });
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

/** Starts both servers on ports that are free, and waits until they answer. */
export async function startTestPlane(options: TestPlaneOptions): Promise<TestPlane> {
  const ports = { apiserver: await freePort(), etcd: await freePort(), etcdPeer: await freePort() };
  const plane = new TestPlane({ ...options, ports });
  await plane.start();
  return plane;
}
