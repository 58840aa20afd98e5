/**
 * What can go wrong between the agent and etcd, as problems that an operator can act on.
 *
 * @module
 */
import { printable } from '../../model/printable.ts';
import { type Problem, problem, REMEDIES } from '../../model/problem.ts';

/**
 * What kind of failure it is, by what helps: another endpoint (`unreachable`), other files (`tls`), a new token
 * (`token`), another user or role (`auth`), a new list (`compacted`), or nothing that this program could do.
 */
export type EtcdFailureKind =
  | 'unreachable'
  | 'tls'
  | 'token'
  | 'auth'
  | 'compacted'
  | 'refused'
  | 'malformed';

/** Why something that was asked of etcd did not happen. Secrets are in none of its words. */
export interface EtcdFailure {
  readonly kind: EtcdFailureKind;
  /** A sentence that names the endpoint. */
  readonly message: string;
}

/** Where TLS fails. */
export const TLS_REMEDY =
  'Check etcd-cafile, etcd-certfile and etcd-keyfile, the clock and the name in the certificate of etcd; the files are read again by themselves';

/** Where etcd knows the user not, or lets it not do what is needed. */
export const AUTH_REMEDY =
  'Check etcd-username and etcd-password, and that the role of the user may read and write below etcd-prefix';

/** The failure as a problem. */
export function etcdProblem({ kind, message }: EtcdFailure): Problem {
  if (kind === 'tls') return problem('store-unavailable', message, TLS_REMEDY);
  if (kind === 'auth' || kind === 'token') return problem('store-unavailable', message, AUTH_REMEDY);
  return problem('store-unavailable', message, REMEDIES['store-unavailable']);
}

/** Names of errors in the kernel's or OpenSSL's words, and what they say in ours. */
const TRANSPORT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused (ECONNREFUSED)',
  ECONNRESET: 'the connection was closed (ECONNRESET)',
  ENETUNREACH: 'there is no route to it (ENETUNREACH)',
  EHOSTUNREACH: 'it cannot be reached (EHOSTUNREACH)',
  ENOTFOUND: 'its name is not known (ENOTFOUND)',
  EAI_AGAIN: 'its name cannot be resolved now (EAI_AGAIN)',
};

/** What OpenSSL and Bun say about certificates begins with one of these. */
const TLS_CODE =
  /^(CERT_|CRL_|DEPTH_ZERO_|ERR_SSL_|ERR_TLS_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)|PATH_LENGTH|SELF_SIGNED|UNABLE_TO_|EPROTO)/;

/** The failure that an exception of `fetch` stands for. */
export function transportFailure(endpoint: string, error: unknown): EtcdFailure {
  const code = codeOf(error);
  const isSecure = endpoint.startsWith('https:');
  if (code === 'TimeoutError') return unreachable(endpoint, 'no answer in time');
  if (isSecure && TLS_CODE.test(code)) {
    const what = code === 'EPROTO' ? 'the TLS handshake failed: a client certificate may be missing' : code;
    return { kind: 'tls', message: `etcd at ${endpoint}: ${what}` };
  }
  if (isSecure && code === 'FailedToOpenSocket') {
    const what = 'no connection, or the certificate files are not in PEM form';
    return { kind: 'tls', message: `etcd at ${endpoint}: ${what}` };
  }
  return unreachable(endpoint, TRANSPORT[code] ?? `no connection (${code})`);
}

/** Codes of gRPC. */
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const FAILED_PRECONDITION = 9;
const OUT_OF_RANGE = 11;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** What of etcd's refusals means that the token is of no use any more, or that none was given. */
const TOKEN_WORDS = /invalid auth token|auth store is old|user name is empty/;
const AUTH_WORDS = /authentication failed|permission denied|user name not found/;

/** A refusal as the gateway words it. */
export interface Refusal {
  readonly endpoint: string;
  /** Of gRPC; 0 if there is none. */
  readonly code: number;
  readonly text: string;
  /** The status of HTTP; 200 within a stream. */
  readonly status: number;
}

/**
 * With `--client-cert-auth` the gateway shows etcd's own certificate to etcd, as a client. If that is not let in, the
 * gateway says so for as long as it lasts.
 */
const GATEWAY_WORDS = /^(read|write) tcp |bad certificate|certificate required/;
const GATEWAY_HINT = ' (the certificate of etcd itself has to be good for clientAuth, too)';

/** The failure that a refusal of etcd stands for. */
export function refusalFailure({ endpoint, code, text, status }: Refusal): EtcdFailure {
  const isOwn = code === UNAVAILABLE && endpoint.startsWith('https:') && GATEWAY_WORDS.test(text);
  if (isOwn)
    return { kind: 'tls', message: `etcd at ${endpoint}: its gateway is kept out by itself${GATEWAY_HINT}` };
  const message = `etcd at ${endpoint}: ${printable(text.slice(0, 200)).slice(0, 400) || `status ${status}`}`;
  if (code === OUT_OF_RANGE || /has been compacted/.test(text)) return { kind: 'compacted', message };
  if (code === UNAUTHENTICATED || TOKEN_WORDS.test(text)) return { kind: 'token', message };
  if (code === PERMISSION_DENIED || AUTH_WORDS.test(text)) return { kind: 'auth', message };
  const isAway = code === UNAVAILABLE || code === DEADLINE_EXCEEDED || status >= 500;
  return { kind: isAway ? 'unreachable' : 'refused', message };
}

/** Whether etcd says that it wants no user at all. */
export function isAuthOff({ code, text }: Pick<Refusal, 'code' | 'text'>): boolean {
  return code === FAILED_PRECONDITION && text.includes('authentication is not enabled');
}

/** The failure of an answer that is not etcd's. */
export function malformed(endpoint: string, what: string): EtcdFailure {
  return { kind: 'malformed', message: `etcd at ${endpoint}: ${what}` };
}

/** The failure of an endpoint from which nothing comes. */
export function unreachable(endpoint: string, what: string): EtcdFailure {
  return { kind: 'unreachable', message: `etcd at ${endpoint}: ${what}` };
}

/** Several endpoints' failures as one: what is not merely away is the more telling. */
export function joinFailures(failures: readonly EtcdFailure[]): EtcdFailure {
  const kind = failures.find((each) => each.kind !== 'unreachable')?.kind ?? 'unreachable';
  return { kind, message: [...new Set(failures.map(({ message }) => message))].join('; ') };
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.name;
}
