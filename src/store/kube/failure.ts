/**
 * Why a request to the API server came to nothing, and what an operator can do about it.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { printable } from '../../model/printable.ts';
import { type Problem, problem } from '../../model/problem.ts';
import type { Credentials } from './credentials.ts';
import type { Refusal } from './message.ts';

/** What the caller does about a failure. */
export type FailureKind =
  /** Nobody answers, or not to the end. */
  | 'unreachable'
  /** The server is not who it should be, or we are not whom it takes. */
  | 'denied'
  /** What was asked for is no longer kept: list again. */
  | 'gone'
  /** The server wants to be left alone for a while. */
  | 'busy'
  | 'not-found'
  /** Whatever else the server says. */
  | 'refused';

/** See the module. */
export interface KubeFailure {
  readonly kind: FailureKind;
  readonly problem: Problem;
  /** The server names a pause. */
  readonly retryAfterMs?: number | undefined;
}

/** What was asked, in words: `list and watch nodes`. */
export interface Asked {
  readonly what: string;
  readonly server: string;
  readonly files: readonly string[];
}

/** Longer texts of a server are cut. */
const MESSAGE_LENGTH_MAX = 300;

/** The certificate errors of OpenSSL and Node's own (`ERR_TLS_…`) that have to do with time. */
const TIME_ERRORS: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
const TRUST_ERROR =
  /^(ERR_TLS_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CERT_|INVALID_CA|ERR_SSL_|HOSTNAME_MISMATCH|ERR_BORINGSSL)/;

/** A request that got no answer. */
export function failureOfError(error: unknown, asked: Asked, credentials?: Credentials): KubeFailure {
  const code = codeOf(error);
  const { server } = asked;
  if (TIME_ERRORS.has(code)) {
    const wrong = clockFault(credentials, Date.now());
    if (wrong !== undefined) return { kind: 'denied', problem: problem('clock-wrong', wrong) };
  }
  if (TRUST_ERROR.test(code)) {
    const message = `The certificate of the API server ${server} is not trusted: ${wordsOf(code)}`;
    return { kind: 'denied', problem: problem('store-untrusted', message) };
  }
  const message = `Cannot reach the API server ${server}: ${reasonOf(code, error)}`;
  return { kind: 'unreachable', problem: problem('store-unavailable', message, AWAY_REMEDY) };
}

const AWAY_REMEDY = 'Start the API server or mend the way to it; the data plane keeps working meanwhile';

/** An answer that is no success. */
export function failureOfStatus(status: number, refusal: Refusal | undefined, asked: Asked): KubeFailure {
  const { what, server, files } = asked;
  const words = shortened(refusal?.message ?? '') || `HTTP ${status}`;
  const said = `The API server ${server} does not let this node ${what}: ${words}`;
  const retryAfterMs =
    refusal !== undefined && refusal.retryAfterS > 0 ? refusal.retryAfterS * 1000 : undefined;
  switch (true) {
    case status === 401: {
      const from = files.length === 0 ? '' : ` (from ${files.join(', ')})`;
      const message = `The API server ${server} does not take the credentials${from}: ${words}`;
      return { kind: 'denied', problem: problem('store-denied', message) };
    }
    case status === 403:
      return { kind: 'denied', problem: problem('store-denied', said) };
    // Of what is not there Kubernetes says so itself: a proxy, or a wrong path, knows of no Node.
    case status === 404 && refusal !== undefined:
      return { kind: 'not-found', problem: problem('node-missing', said) };
    case status === 410 || refusal?.reason === 'Expired':
      return { kind: 'gone', problem: problem('store-unavailable', said, BUSY_REMEDY) };
    case status === 429 || status >= 500: {
      const message = `The API server ${server} cannot ${what} now: ${words}`;
      return { kind: 'busy', problem: problem('store-unavailable', message, BUSY_REMEDY), retryAfterMs };
    }
    default:
      return { kind: 'refused', problem: problem('store-unavailable', said, BUSY_REMEDY) };
  }
}

/** Cut before and after: what is not printable takes six characters each. */
function shortened(text: string): string {
  return printable(text.slice(0, MESSAGE_LENGTH_MAX)).slice(0, MESSAGE_LENGTH_MAX);
}

const BUSY_REMEDY =
  'Read the log of the API server; the agent tries again by itself, and the data plane keeps working';

/** An answer that ended early, or is none of Kubernetes'. */
export function failureOfForm(what: string, { server }: Asked): KubeFailure {
  const message = `The API server ${server} gave ${what}`;
  return { kind: 'unreachable', problem: problem('store-unavailable', message, AWAY_REMEDY) };
}

/**
 * What is wrong with this node's clock, if the certificates show that it is. A board without a battery begins in 1970
 * or at the time of its image: before the authority existed that the credentials name.
 */
export function clockFault(
  credentials: Pick<Credentials, 'ca' | 'cert'> | undefined,
  nowMs: number,
): string | undefined {
  for (const pem of [credentials?.ca, credentials?.cert]) {
    const validity = pem === undefined ? undefined : validityOf(pem);
    if (validity === undefined) continue;
    const now = new Date(nowMs).toISOString().slice(0, 16);
    if (nowMs < validity.fromMs)
      return `The clock of this node says ${now}Z, which is before the cluster's certificates were made (${dayOf(validity.fromMs)})`;
    // An authority lasts for ten years, so a clock that is behind its end has most likely jumped ahead.
    if (pem === credentials?.ca && nowMs > validity.toMs)
      return `The clock of this node says ${now}Z, which is after the end of the cluster's certificate authority (${dayOf(validity.toMs)}): one of them is wrong`;
  }
  return undefined;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function validityOf(pem: string): { readonly fromMs: number; readonly toMs: number } | undefined {
  try {
    const { validFrom, validTo } = new X509Certificate(pem);
    return { fromMs: Date.parse(validFrom), toMs: Date.parse(validTo) };
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return error.name;
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function wordsOf(code: string): string {
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'it is for another name or address';
    case 'CERT_HAS_EXPIRED':
      return 'it has expired';
    case 'CERT_NOT_YET_VALID':
      return 'it is not valid yet';
    default:
      return code.toLowerCase().replaceAll('_', ' ');
  }
}

function reasonOf(code: string, error: unknown): string {
  switch (code) {
    case 'TimeoutError':
    case 'AbortError':
      return 'no answer in time';
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ECONNRESET':
    case 'ConnectionClosed':
      return 'the connection was closed';
    case 'ENOTFOUND':
      return 'its name is not known';
    case 'FailedToOpenSocket':
      return 'no connection can be made, or the certificates are none';
    default:
      return code === '' ? printable(error instanceof Error ? error.message : String(error)) : code;
  }
}
