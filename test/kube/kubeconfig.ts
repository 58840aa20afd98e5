/**
 * kubeconfig files with every kind of credential that Kubernetes knows and a node may have.
 *
 * @module
 */
import type { ApiServer, Credentials } from '../../src/cli/demo/kube/api-client.ts';
import { kubeconfigText } from '../../src/cli/demo/kube/kubeconfig.ts';
import { writeAtomically } from '../../src/write-file.ts';

/**
 * How credentials stand in the file: `certificate` and `token` in it, `certificate-file` and `token-file` beside it,
 * `exec` as a program that prints them.
 */
export type CredentialKind = 'certificate' | 'certificate-file' | 'token' | 'token-file' | 'exec';

/** What {@link writeKubeconfig} writes. */
export interface KubeconfigContent {
  readonly path: string;
  readonly server: ApiServer;
  readonly kind: CredentialKind;
  readonly credentials: Credentials;
  /** When they end, which an exec plugin tells. */
  readonly expires: Date | undefined;
}

/**
 * Writes it, and what it names: `PATH.token`, `PATH.crt`, `PATH.key`, or the plugin `PATH.sh`, which prints
 * `PATH.json` and adds a line to `PATH.calls`. Each file is replaced at once, as a kubelet replaces them.
 */
export function writeKubeconfig({ path, server, kind, credentials, expires }: KubeconfigContent): void {
  const beside = (ending: string, text: string, mode = 0o600) => {
    writeAtomically(`${path}.${ending}`, { text, mode });
    return `${path}.${ending}`;
  };
  const user = (): string[] => {
    if (kind === 'exec') return execPlugin(path, beside, { credentials, expires });
    if ('token' in credentials) {
      if (kind === 'token') return [`token: ${credentials.token}`];
      if (kind === 'token-file') return [`tokenFile: ${beside('token', credentials.token)}`];
    } else {
      const { certificatePem, keyPem } = credentials;
      if (kind === 'certificate')
        return [`client-certificate-data: ${base64(certificatePem)}`, `client-key-data: ${base64(keyPem)}`];
      if (kind === 'certificate-file')
        return [
          `client-certificate: ${beside('crt', certificatePem)}`,
          `client-key: ${beside('key', keyPem)}`,
        ];
    }
    throw new RangeError(`This user has no credentials of kind '${kind}'`);
  };
  writeAtomically(path, { text: kubeconfigText(server, user()), mode: 0o600 });
}

function execPlugin(
  path: string,
  beside: (ending: string, text: string, mode?: number) => string,
  { credentials, expires }: Pick<KubeconfigContent, 'credentials' | 'expires'>,
): string[] {
  const secret =
    'token' in credentials
      ? { token: credentials.token }
      : { clientCertificateData: credentials.certificatePem, clientKeyData: credentials.keyPem };
  const answer = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { ...secret, ...(expires === undefined ? {} : { expirationTimestamp: expires.toISOString() }) },
  };
  const printed = beside('json', `${JSON.stringify(answer)}\n`);
  const script = beside('sh', `#!/bin/sh\necho called >>'${path}.calls'\ncat '${printed}'\n`, 0o700);
  return [
    'exec:',
    '  apiVersion: client.authentication.k8s.io/v1',
    `  command: ${script}`,
    '  interactiveMode: Never',
  ];
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
