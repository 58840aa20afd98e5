/**
 * Asks a Kubernetes API server, in somebody's name.
 *
 * @module
 */
import type { KeyPair } from './certificates.ts';

/** In whose name: a client certificate or a token. */
export type Credentials = KeyPair | { readonly token: string };

/** What every request needs. */
export interface ApiServer {
  /** `https://127.0.0.1:6443` */
  readonly url: string;
  readonly caPem: string;
}

/** One request. */
export interface ApiRequest {
  readonly method?: string;
  /** With its query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** `application/json` if absent. */
  readonly contentType?: string;
  /** `application/json` if absent. */
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

/** Asks, and gives back whatever the answer is. */
export function askApi(server: ApiServer, credentials: Credentials, request: ApiRequest): Promise<Response> {
  const {
    method = 'GET',
    path,
    body,
    contentType = 'application/json',
    accept = 'application/json',
  } = request;
  const headers = new Headers({ accept });
  if (body !== undefined) headers.set('content-type', contentType);
  if ('token' in credentials) headers.set('authorization', `Bearer ${credentials.token}`);
  const certificate =
    'token' in credentials ? {} : { cert: credentials.certificatePem, key: credentials.keyPem };
  return fetch(`${server.url}${path}`, {
    method,
    headers,
    tls: { ca: server.caPem, ...certificate },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
}
