/**
 * kubeconfig files.
 *
 * @module
 */
import type { ApiServer } from './api-client.ts';

/** A kubeconfig of one server and one user, whose credentials are these lines of YAML. */
export function kubeconfigText({ url, caPem }: ApiServer, user: readonly string[]): string {
  return [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    '- name: only',
    '  cluster:',
    `    server: ${url}`,
    `    certificate-authority-data: ${Buffer.from(caPem).toString('base64')}`,
    'users:',
    '- name: only',
    '  user:',
    ...user.map((line) => `    ${line}`),
    'contexts:',
    '- name: only',
    '  context:',
    '    cluster: only',
    '    user: only',
    'current-context: only',
    '',
  ].join('\n');
}
