/**
 * Requests to the API server over the runtime's own `fetch`: credentials are added, failures are values.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';
import type { StoreObserver, StoreOperation } from '../../model/measures.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import type { CredentialSource, Credentials } from './credentials.ts';
import { type Asked, failureOfError, failureOfForm, failureOfStatus, type KubeFailure } from './failure.ts';
import { PROTOBUF, readRefusal } from './message.ts';

/** One request. */
export interface KubeRequest {
  readonly method: 'GET' | 'PATCH';
  /** With the query. */
  readonly path: string;
  readonly accept: string;
  /** A strategic merge patch, as JSON. */
  readonly patch?: string;
  /** What it is, after "cannot": `list nodes`. */
  readonly what: string;
  readonly operation: StoreOperation;
  /** The head of the answer, or all of a small one, has to be there by then; ten seconds if absent. */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

/** What a {@link KubeApi} needs. */
export interface KubeApiOptions {
  readonly credentials: CredentialSource;
  /** Replaces the server of the credentials. */
  readonly apiUrl: string | undefined;
  readonly clock: Clock;
  readonly onUse: StoreObserver;
}

const ANSWER_TIMEOUT_MS = 10_000;

/** Larger answers to a single request are refused: a page of fifty Nodes as kubelets leave them has half a megabyte. */
const ANSWER_BYTES_MAX = 64 << 20;

/** The API server. */
export class KubeApi {
  readonly #options: KubeApiOptions;
  #server: string | undefined;

  constructor(options: KubeApiOptions) {
    this.#options = options;
    this.#server = options.apiUrl;
  }

  /** The server's URL, as far as it is known by now. */
  get server(): string | undefined {
    return this.#server;
  }

  /** The body of the answer. */
  async ask(request: KubeRequest): Promise<Result<Buffer, KubeFailure>> {
    const { clock, onUse } = this.#options;
    const startMs = clock.monotonicMs();
    const signal = withTimeout(request);
    const opened = await this.#open({ ...request, signal });
    const body = opened.ok ? await bodyOf(opened.value.response, opened.value.asked) : opened;
    onUse(request.operation, clock.monotonicMs() - startMs, body.ok);
    return body;
  }

  /** The body of the answer as it arrives; it ends when `signal` says so. */
  async stream(
    request: KubeRequest & { readonly signal: AbortSignal },
  ): Promise<Result<NonNullable<Response['body']>, KubeFailure>> {
    const { clock, onUse } = this.#options;
    const startMs = clock.monotonicMs();
    const late = new AbortController();
    // Only the head has to come in time; the body of a watch takes minutes.
    const timer = clock.schedule(request.patienceMs ?? ANSWER_TIMEOUT_MS, () =>
      late.abort(new DOMException('late', 'TimeoutError')),
    );
    const opened = await this.#open({ ...request, signal: AbortSignal.any([request.signal, late.signal]) });
    timer.cancel();
    onUse(request.operation, clock.monotonicMs() - startMs, opened.ok);
    if (!opened.ok) return opened;
    const { body } = opened.value.response;
    return body === null ? fail(failureOfForm('an answer without a body', opened.value.asked)) : ok(body);
  }

  async #open(
    request: KubeRequest & { readonly signal: AbortSignal },
  ): Promise<Result<{ readonly response: Response; readonly asked: Asked }, KubeFailure>> {
    const { credentials: source } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const credentials = await source.get();
      if (!credentials.ok) return fail({ kind: 'denied', problem: credentials.error });
      const server = this.#options.apiUrl ?? credentials.value.server;
      this.#server = server;
      const asked: Asked = { what: request.what, server, files: source.files };
      const answer = await send(request, { server, credentials: credentials.value });
      if (answer.ok && answer.value.ok) {
        if (!isProtobuf(answer.value)) {
          await answer.value.body?.cancel();
          return fail(failureOfForm('an answer that is not of Kubernetes', asked));
        }
        return ok({ response: answer.value, asked });
      }
      const failure = answer.ok
        ? await failureOfResponse(answer.value, asked)
        : failureOfError(answer.error, asked, credentials.value);
      // Who is forbidden something is known all the same.
      const isForbidden = answer.ok && answer.value.status === 403;
      if (failure.kind !== 'denied' || isForbidden) return fail(failure);
      // A token, certificate or authority may just have been replaced.
      source.doubt();
      if (attempt > 1 || (await isSame(source, credentials.value))) return fail(failure);
    }
  }
}

async function isSame(source: CredentialSource, before: Credentials): Promise<boolean> {
  const now = await source.get();
  return !now.ok || JSON.stringify(now.value) === JSON.stringify(before);
}

interface Way {
  readonly server: string;
  readonly credentials: Credentials;
}

/** What the runtime's `fetch` throws is given back. */
async function send(
  { method, path, accept, patch, signal }: KubeRequest & { readonly signal: AbortSignal },
  { server, credentials }: Way,
): Promise<Result<Response, unknown>> {
  const { ca, cert, key, serverName, proxy, authorization, insecure } = credentials;
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { serverName }),
    rejectUnauthorized: !insecure,
  };
  const headers: Record<string, string> = {
    Accept: accept,
    // Compression costs both sides more than the way that it saves.
    'Accept-Encoding': 'identity',
    'User-Agent': 'flannelette',
    ...(authorization === undefined ? {} : { Authorization: authorization }),
    ...(patch === undefined ? {} : { 'Content-Type': 'application/strategic-merge-patch+json' }),
  };
  try {
    const response = await fetch(`${server}${path}`, {
      method,
      headers,
      signal,
      // A secret is given to nobody but the server that the credentials name.
      redirect: 'error',
      ...(patch === undefined ? {} : { body: patch }),
      ...(proxy === undefined ? {} : { proxy }),
      ...(server.startsWith('https:') ? { tls } : {}),
    });
    return ok(response);
  } catch (error) {
    return fail(error);
  }
}

function withTimeout({ signal, patienceMs = ANSWER_TIMEOUT_MS }: KubeRequest): AbortSignal {
  const timeout = AbortSignal.timeout(patienceMs);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

function isProtobuf(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith(PROTOBUF) === true;
}

async function bodyOf(response: Response, asked: Asked): Promise<Result<Buffer, KubeFailure>> {
  const length = Number(response.headers.get('content-length') ?? 0);
  if (length > ANSWER_BYTES_MAX) {
    await response.body?.cancel();
    return fail(failureOfForm(`an answer of ${length} bytes`, asked));
  }
  try {
    const bytes = await response.bytes();
    return ok(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    return fail(failureOfError(error, asked));
  }
}

async function failureOfResponse(response: Response, asked: Asked): Promise<KubeFailure> {
  const body = isProtobuf(response) ? await bodyOf(response, asked) : undefined;
  if (body === undefined) await response.body?.cancel();
  const refusal = body?.ok === true ? readRefusal(body.value) : undefined;
  const failure = failureOfStatus(response.status, refusal, asked);
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds > 0 ? { ...failure, retryAfterMs: seconds * 1000 } : failure;
}
