/**
 * The agent's HTTP servers: always one on a Unix socket, and flannel's on TCP if a port is set. Neither is
 * a reason for the agent to stop.
 *
 * @module
 */
import type { Clock } from '../model/clock.ts';
import { type Problem, problem } from '../model/problem.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { type AppSources, createApp } from './app.ts';
import { Listener, type OpenListener } from './listener.ts';
import { askUnix, errorCode, listenUnix } from './unix-socket.ts';

/** Which of the two servers a problem is of. */
export type HealthListener = 'socket' | 'tcp';

/** What a {@link HealthServer} serves, and where. */
export interface HealthServerOptions {
  readonly sources: AppSources;
  readonly clock: Clock;
  readonly socketPath: string;
  readonly healthzIp: string;
  /** 0 means no TCP server. */
  readonly healthzPort: number;
  /** Called when a request was answered. */
  readonly onAnswer?: () => void;
  /** Told once when a server's problem comes, changes or goes: for the log. */
  readonly onProblem?: (listener: HealthListener, problem: Problem | undefined) => void;
}

/** Clients on TCP are probes that ask and go: whoever is silent for longer is put out. */
const IDLE_TIMEOUT_SECONDS = 5;

/** No path takes a body; some clients send an empty JSON object. */
const MAX_BODY_BYTES = 1_024;

/** Both servers. No method rejects. */
export class HealthServer {
  readonly #listeners: readonly Listener[];
  readonly #fetch: Fetch;
  readonly #socketPath: string;

  constructor(options: HealthServerOptions) {
    const { sources, healthzIp: hostname, healthzPort: port, clock } = options;
    const app = createApp(sources);
    this.#socketPath = options.socketPath;
    this.#fetch = (request) => {
      const response = app.fetch(request);
      options.onAnswer?.();
      return response;
    };
    const socket = new Listener({
      open: () => listenUnix(options.socketPath, (unix) => Bun.serve({ ...serveOptions(this.#fetch), unix })),
      clock,
      onProblem: (trouble) => options.onProblem?.('socket', trouble),
    });
    if (port === 0) {
      this.#listeners = [socket];
      return;
    }
    const tcp = new Listener({
      open: async () => listenTcp({ hostname, port }, this.#fetch),
      clock,
      onProblem: (trouble) => options.onProblem?.('tcp', trouble),
    });
    this.#listeners = [socket, tcp];
  }

  /** Opens the servers; fulfilled when each was tried once. What fails is tried again until {@link close}. */
  async start(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.start()));
  }

  /** Makes the socket file again if somebody removed it: one `lstat`, for the agent's audit. */
  async ensure(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.ensure()));
  }

  /**
   * Asks itself as any client would, so that an answer shows that the process serves. While its socket is another's
   * or cannot be made, which is no reason to be ended, it asks without one.
   */
  async probe(): Promise<void> {
    const [socket] = this.#listeners;
    if (socket?.problem === undefined) await askUnix(this.#socketPath);
    else await this.#fetch(new Request('http://agent/livez'));
  }

  /** What is wrong now; empty if both listen. */
  problems(): Problem[] {
    return this.#listeners.flatMap((listener) => listener.problem ?? []);
  }

  /** Ends both servers at once, and removes the socket file if it is still this process's. */
  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }
}

type Fetch = (request: Request) => Response | Promise<Response>;

function serveOptions(fetch: Fetch) {
  return {
    fetch: (request: Request) => fetch(request),
    error: () => new Response('The agent failed to answer; its log says why\n', { status: 500 }),
    maxRequestBodySize: MAX_BODY_BYTES,
    development: false,
  } as const;
}

function listenTcp(
  { hostname, port }: { readonly hostname: string; readonly port: number },
  fetch: Fetch,
): Result<OpenListener, Problem> {
  try {
    const server = Bun.serve({
      ...serveOptions(fetch),
      // As Go does with an empty address.
      hostname: hostname === '' ? '0.0.0.0' : hostname,
      port,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
    });
    return ok({ intact: () => true, close: () => server.stop(true) });
  } catch (error) {
    const where = hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`;
    const { cause, remedy } = tcpFailure(errorCode(error));
    return fail(problem('health-unavailable', `Cannot listen on '${where}': ${cause}`, remedy));
  }
}

/** The reasons that ip(7) and bind(2) give; the agent tries again whichever it is. */
function tcpFailure(code: string): { readonly cause: string; readonly remedy: string } {
  switch (code) {
    case 'EADDRINUSE':
      return {
        cause: 'another program has the port (EADDRINUSE)',
        remedy:
          'Stop the other program or choose another healthz-port; the agent takes the port when it is free',
      };
    case 'EADDRNOTAVAIL':
      return {
        cause: 'this machine has no such address (EADDRNOTAVAIL)',
        remedy:
          'Give an interface this address or choose another healthz-ip; the agent tries again by itself',
      };
    case 'EACCES':
      return {
        cause: 'the port is for privileged processes (EACCES)',
        remedy: 'Grant CAP_NET_BIND_SERVICE or choose a healthz-port above 1023',
      };
    default:
      return {
        cause: code === '' ? 'unknown error' : code,
        remedy: 'Check healthz-ip and healthz-port; the agent tries again by itself',
      };
  }
}
