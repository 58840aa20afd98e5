/**
 * The files that TLS with etcd needs. They are read when they are first needed, and again after a failure that they
 * may be the cause of: certificates are renewed while the agent runs.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { fail, ok, type Result } from '../../model/result.ts';
import type { EtcdStoreSettings } from '../../model/settings.ts';
import type { EtcdFailure } from './failure.ts';

/** As Bun's `fetch` takes it. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** See the module. */
export class Credentials {
  readonly #settings: Pick<EtcdStoreSettings, 'caFile' | 'certFile' | 'keyFile'>;
  #files: TlsFiles | undefined;

  constructor(settings: Pick<EtcdStoreSettings, 'caFile' | 'certFile' | 'keyFile'>) {
    this.#settings = settings;
  }

  /** The contents of the files that the settings name. */
  read(): Result<TlsFiles, EtcdFailure> {
    if (this.#files !== undefined) return ok(this.#files);
    const { caFile, certFile, keyFile } = this.#settings;
    try {
      this.#files = {
        ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }),
        ...(certFile === undefined ? {} : { cert: readFileSync(certFile, 'utf8') }),
        ...(keyFile === undefined ? {} : { key: readFileSync(keyFile, 'utf8') }),
      };
      return ok(this.#files);
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      return fail({ kind: 'tls', message: `Cannot read a file for TLS with etcd: ${said}` });
    }
  }

  /** Has the files read anew when they are needed next. */
  forget(): void {
    this.#files = undefined;
  }
}
