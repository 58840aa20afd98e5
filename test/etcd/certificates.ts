/**
 * Certificates as files, as etcd and the agent take them.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Authority, type CertificateRequest } from '../../src/cli/demo/kube/certificates.ts';

/** A certificate and its key, as files. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** An authority whose files are in a directory. */
export class FileAuthority {
  /** What others trust. */
  readonly caFile: string;
  readonly #directory: string;
  readonly #authority: Authority;

  constructor(directory: string, name = 'ca') {
    this.#directory = directory;
    this.#authority = new Authority(name);
    this.caFile = join(directory, `${name}.pem`);
    writeFileSync(this.caFile, this.#authority.certificatePem);
  }

  /** Issues a certificate; a server is the one on loopback. */
  issue(name: string, usage: CertificateRequest['usage']): Certificate {
    const hosts = usage === 'client' ? [] : ['127.0.0.1'];
    const { certificatePem, keyPem } = this.#authority.issue({ commonName: name, usage, hosts });
    const files = {
      certFile: join(this.#directory, `${name}.pem`),
      keyFile: join(this.#directory, `${name}.key`),
    };
    writeFileSync(files.certFile, certificatePem);
    writeFileSync(files.keyFile, keyPem);
    return files;
  }
}
