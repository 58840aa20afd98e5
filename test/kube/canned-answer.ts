/**
 * Answers that a healthy API server seldom gives.
 *
 * @module
 */

/** An answer that does not come from the server. */
export interface CannedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  /** The body is not all: more could follow, and never does. */
  readonly stayOpen?: true;
}

/** As the server's flow control refuses (API priority and fairness). */
export function tooManyRequests(retryAfterSeconds: number): CannedAnswer {
  const headers = { 'Retry-After': String(retryAfterSeconds) };
  return failure(429, 'TooManyRequests', 'too many requests, please try again later', headers);
}

/** As a server that loses etcd. */
export function internalError(): CannedAnswer {
  return failure(500, 'InternalError', 'etcdserver: request timed out');
}

/** As a server that is starting or stopping. */
export function unavailable(): CannedAnswer {
  return failure(503, 'ServiceUnavailable', 'apiserver not ready', { 'Retry-After': '1' });
}

/** As a server that has forgotten the version that is asked for. */
export function gone(): CannedAnswer {
  return failure(410, 'Expired', 'too old resource version: 1 (1000)');
}

/** As a server that does not know the token any more. */
export function unauthorized(): CannedAnswer {
  return failure(401, 'Unauthorized', 'Unauthorized');
}

/** As a load balancer that finds no server. */
export function badGateway(): CannedAnswer {
  const body = '<html><head><title>502 Bad Gateway</title></head><body></body></html>\n';
  return { status: 502, headers: { 'Content-Type': 'text/html' }, body };
}

/** A watch that says these events, each a value of JSON, and then nothing for ever. */
export function watchOf(events: readonly unknown[]): CannedAnswer {
  const body = events.map((event) => `${JSON.stringify(event)}\n`).join('');
  return { status: 200, headers: { 'Content-Type': 'application/json' }, body, stayOpen: true };
}

/** An answer with a Status for its body (`metav1.Status`). */
export function failure(
  code: number,
  reason: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): CannedAnswer {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
  return {
    status: code,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: `${JSON.stringify(status)}\n`,
  };
}

/** The answer as bytes of HTTP/1.1. */
export function formatAnswer({ status, headers = {}, body, stayOpen }: CannedAnswer): string {
  const length = Buffer.byteLength(body);
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} Canned\r\n${fields.join('')}`;
  if (stayOpen === undefined) return `${head}Content-Length: ${length}\r\n\r\n${body}`;
  return `${head}Transfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n${body}\r\n`;
}
