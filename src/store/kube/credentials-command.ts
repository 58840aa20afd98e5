/**
 * The child that finds out how to reach the API server. It prints one line of JSON and ends.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import * as v from 'valibot';
import type { Credentials, CredentialsAnswer } from './credentials.ts';

/** The secret of the pod's service account. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** K3s' own credentials that may list nodes; a kubelet's may not since 1.32. */
const K3S_KUBECONFIG = '/var/lib/rancher/k3s/agent/k3scontroller.kubeconfig';

/**
 * Runs the command: `kube-credentials [KUBECONFIG]`. Without a file the pod's own service account is used, else K3s'
 * file.
 *
 * @returns the exit status, always 0: what went wrong is in the answer
 */
export async function kubeCredentialsCommand([kubeconfig]: readonly string[]): Promise<number> {
  const answer = await answerFor(kubeconfig).catch((error: unknown): CredentialsAnswer => {
    return {
      kind: 'invalid',
      message: `Cannot use the Kubernetes credentials: ${reasonOf(error).replaceAll('\n', ' ')}`,
    };
  });
  await Bun.write(Bun.stdout, `${JSON.stringify(answer)}\n`);
  return 0;
}

async function answerFor(kubeconfig: string | undefined): Promise<CredentialsAnswer> {
  const { KUBERNETES_SERVICE_HOST: host } = process.env;
  const isPod = host !== undefined && existsSync(`${SERVICE_ACCOUNT}/token`);
  if (kubeconfig === undefined && isPod) return await ofPod();
  const file = kubeconfig ?? K3S_KUBECONFIG;
  if (existsSync(file)) return await ofFile(file);
  const others = `no --kubeconfig-file, no service account of a pod, and no ${K3S_KUBECONFIG} of K3s`;
  const message = kubeconfig === undefined ? others : `${kubeconfig} is not there`;
  return { kind: 'missing', message: `No Kubernetes credentials yet: ${message}` };
}

async function ofPod(): Promise<CredentialsAnswer> {
  const config = new KubeConfig();
  config.loadFromCluster();
  const files = [`${SERVICE_ACCOUNT}/token`, `${SERVICE_ACCOUNT}/ca.crt`];
  return { kind: 'credentials', credentials: await credentialsOf(config, files, undefined) };
}

async function ofFile(file: string): Promise<CredentialsAnswer> {
  const config = new KubeConfig();
  const path = resolve(file);
  try {
    config.loadFromFile(path);
  } catch (error) {
    // Only its first line: below it a parser shows what is in the file, secrets too.
    const [reason] = reasonOf(error).split('\n');
    return { kind: 'invalid', message: `${file} is no kubeconfig: ${reason}` };
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    return {
      kind: 'invalid',
      message: `${file} has no cluster for its context '${config.getCurrentContext()}'`,
    };
  const user = config.getCurrentUser();
  const tokenFile = tokenFileOf(path, user?.name);
  const files = [path, cluster.caFile, user?.certFile, user?.keyFile, tokenFile];
  const credentials = await credentialsOf(config, files.filter(isText), tokenFile);
  return { kind: 'credentials', credentials };
}

function isText(value: string | null | undefined): value is string {
  return typeof value === 'string' && value !== '';
}

const usersSchema = v.object({
  users: v.array(
    v.object({ name: v.string(), user: v.nullish(v.object({ tokenFile: v.optional(v.string()) })) }),
  ),
});

/** client-go's `tokenFile`, which the library does not know: it reads `token-file`, and only once. */
function tokenFileOf(path: string, name: string | undefined): string | undefined {
  const parsed = v.safeParse(usersSchema, Bun.YAML.parse(readFileSync(path, 'utf8')));
  if (!parsed.success) return undefined;
  const tokenFile = parsed.output.users.find((each) => each.name === name)?.user?.tokenFile;
  return tokenFile === undefined ? undefined : resolve(dirname(path), tokenFile);
}

async function credentialsOf(
  config: KubeConfig,
  files: string[],
  tokenFile: string | undefined,
): Promise<Credentials> {
  const cluster = config.getCurrentCluster();
  const server = cluster?.server.replace(/\/+$/, '') ?? '';
  // The library refuses plain HTTP, which nobody has secrets for.
  if (server.startsWith('http://')) return { server, insecure: false, files };
  const options: Parameters<KubeConfig['applyToHTTPSOptions']>[0] = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const token = tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').trim();
  const authorization = token === undefined ? authorizationOf(options) : `Bearer ${token}`;
  return {
    server,
    insecure: cluster?.skipTLSVerify === true,
    files,
    ca: pemOf(options.ca),
    cert: pemOf(options.cert),
    key: pemOf(options.key),
    authorization,
    serverName: cluster?.tlsServerName,
    proxy: cluster?.proxyUrl,
    expiresAtMs: authorization === undefined ? undefined : expiryOf(authorization),
  };
}

type Options = Parameters<KubeConfig['applyToHTTPSOptions']>[0];

function authorizationOf({ headers, auth }: Options): string | undefined {
  if (typeof auth === 'string') return `Basic ${Buffer.from(auth).toString('base64')}`;
  const value = headers !== undefined && 'Authorization' in headers ? headers.Authorization : undefined;
  return typeof value === 'string' ? value.trim() : undefined;
}

function pemOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString('utf8') : undefined;
}

const claimsSchema = v.object({ exp: v.number() });

/** When a token that is a JSON web token (RFC 7519) expires, in milliseconds since the epoch. */
function expiryOf(authorization: string): number | undefined {
  const [, payload = ''] = authorization.split('.');
  try {
    const parsed = v.safeParse(claimsSchema, JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
    return parsed.success ? parsed.output.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().split('\n').slice(0, 3).join('\n');
}
