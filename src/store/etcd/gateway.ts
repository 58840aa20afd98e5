/**
 * etcd's JSON gateway over `fetch`: the endpoints in turn, TLS, the token of a user, and a limit of time. See
 * docs/adr/0006-etcd-gateway.md for why there is no client library.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import type { EtcdStoreSettings } from '../../model/settings.ts';
import { Credentials } from './credentials.ts';
import {
  type EtcdFailure,
  isAuthOff,
  joinFailures,
  malformed,
  refusalFailure,
  transportFailure,
  unreachable,
} from './failure.ts';
import { readError, textAt } from './messages.ts';

/** What answers later than this does not answer: an election takes one or two seconds. */
export const ANSWER_MS_MAX = 5_000;

/** A request: a path such as `/v3/kv/range`, and its JSON. */
export interface GatewayRequest {
  readonly path: string;
  readonly body: string;
}

/** A request whose answer goes on. */
export interface GatewayStream extends GatewayRequest {
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** An answer that goes on, and whose it is. */
export interface OpenStream {
  readonly endpoint: string;
  readonly body: ReadableStream<Uint8Array>;
}

interface Attempt<T> extends GatewayRequest {
  readonly signal: AbortSignal | undefined;
  /** Takes in the body within the time limit. */
  readonly take: (endpoint: string, response: Response) => Promise<Result<T, EtcdFailure>>;
}

/** See the module. */
export class Gateway {
  readonly #settings: EtcdStoreSettings;
  readonly #clock: Clock;
  readonly #credentials: Credentials;
  /** The endpoint that answered last, or is to be tried next. */
  #at = 0;
  #token: string | undefined;
  /** etcd has said that it wants no user. */
  #isAuthOff = false;
  #authenticating: Promise<Result<void, EtcdFailure>> | undefined;

  constructor(settings: EtcdStoreSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#credentials = new Credentials(settings);
  }

  /** Asks one endpoint after the other until one answers, and gives back the answer's JSON. */
  ask(request: GatewayRequest): Promise<Result<unknown, EtcdFailure>> {
    return this.#everywhere({ ...request, signal: undefined, take: takeJson });
  }

  /** Asks for an answer that goes on; gives it back when it begins. */
  open(request: GatewayStream): Promise<Result<OpenStream, EtcdFailure>> {
    return this.#everywhere({ ...request, take: takeStream });
  }

  /** Passes over an endpoint that answers, but does not do what it is for. */
  avoid(endpoint: string): void {
    if (endpoint === this.#endpoint()) this.#at++;
  }

  /** Has a new token asked for: a watch with an old one is merely said to be denied. */
  forgetToken(): void {
    this.#token = undefined;
  }

  #endpoint(): string {
    const { endpoints } = this.#settings;
    return endpoints[this.#at % endpoints.length] ?? '';
  }

  async #everywhere<T>(attempt: Attempt<T>): Promise<Result<T, EtcdFailure>> {
    const failures: EtcdFailure[] = [];
    for (const _ of this.#settings.endpoints) {
      const endpoint = this.#endpoint();
      const answer = await this.#asUser(endpoint, attempt);
      if (answer.ok) return answer;
      failures.push(answer.error);
      if (answer.error.kind === 'tls' || answer.error.kind === 'unreachable') this.#credentials.forget();
      else break;
      if (attempt.signal?.aborted) break;
      this.avoid(endpoint);
    }
    return fail(joinFailures(failures));
  }

  /** A token lasts for minutes, and no longer than the memory of the server: a new one is asked for once. */
  async #asUser<T>(endpoint: string, attempt: Attempt<T>): Promise<Result<T, EtcdFailure>> {
    for (let isAgain = false; ; isAgain = true) {
      if (this.#settings.username !== undefined && this.#token === undefined && !this.#isAuthOff) {
        this.#authenticating ??= this.#authenticate(endpoint).finally(() => {
          this.#authenticating = undefined;
        });
        const authenticated = await this.#authenticating;
        if (!authenticated.ok) return authenticated;
      }
      const used = this.#token;
      const answer = await this.#once(endpoint, attempt, used);
      if (answer.ok || answer.error.kind !== 'token') return answer;
      this.#isAuthOff = false;
      if (this.#token === used) this.#token = undefined;
      if (isAgain || this.#settings.username === undefined) return answer;
    }
  }

  async #authenticate(endpoint: string): Promise<Result<void, EtcdFailure>> {
    const { username, password = '' } = this.#settings;
    const body = JSON.stringify({ name: username, password });
    const take = async (at: string, response: Response): Promise<Result<unknown, EtcdFailure>> => {
      if (response.ok) return takeJson(at, response);
      const refusal = readError(await bodyOf(response));
      if (!isAuthOff(refusal))
        return fail(refusalFailure({ endpoint: at, ...refusal, status: response.status }));
      this.#isAuthOff = true;
      return ok({});
    };
    const path = '/v3/auth/authenticate';
    const answer = await this.#once(endpoint, { path, body, signal: undefined, take }, undefined);
    if (!answer.ok) return answer;
    this.#token = textAt(answer.value, 'token');
    if (this.#token !== undefined || this.#isAuthOff) return ok(undefined);
    return fail(malformed(endpoint, 'no token was given'));
  }

  async #once<T>(
    endpoint: string,
    { path, body, signal, take }: Attempt<T>,
    token: string | undefined,
  ): Promise<Result<T, EtcdFailure>> {
    const tls = this.#credentials.read();
    if (!tls.ok) return tls;
    const ending = new AbortController();
    const end = () => ending.abort();
    signal?.addEventListener('abort', end);
    let isLate = false;
    const limit = this.#clock.schedule(ANSWER_MS_MAX, () => {
      isLate = true;
      end();
    });
    try {
      const response = await fetch(`${endpoint}${path}`, {
        method: 'POST',
        body,
        headers: token === undefined ? HEADERS : { ...HEADERS, authorization: token },
        signal: ending.signal,
        redirect: 'manual',
        ...(endpoint.startsWith('https:') ? { tls: tls.value } : {}),
      });
      return await take(endpoint, response);
    } catch (error) {
      return fail(isLate ? unreachable(endpoint, 'no answer in time') : transportFailure(endpoint, error));
    } finally {
      limit.cancel();
    }
  }
}

/** A member without a leader says so, instead of an answer that is old or none at all (gRPC metadata of etcd). */
const HEADERS = { 'content-type': 'application/json', 'grpc-metadata-hasleader': 'true' };

async function takeJson(endpoint: string, response: Response): Promise<Result<unknown, EtcdFailure>> {
  const json = await bodyOf(response);
  if (!response.ok) return fail(refusalFailure({ endpoint, ...readError(json), status: response.status }));
  return json === undefined ? fail(malformed(endpoint, 'the answer is not JSON')) : ok(json);
}

async function takeStream(endpoint: string, response: Response): Promise<Result<OpenStream, EtcdFailure>> {
  if (!response.ok || response.body === null) {
    const refusal = readError(await bodyOf(response));
    return fail(refusalFailure({ endpoint, ...refusal, status: response.status }));
  }
  return ok({ endpoint, body: response.body });
}

/** The JSON, or `undefined` if it is none. */
async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
