/**
 * What the agent answers over HTTP, made on each request from a few functions: nothing is kept.
 *
 * The same paths are on the Unix socket, which only its owner can open, and on TCP if a port is set: what they
 * tell (addresses, MACs, subnets, counts) is no secret, and nothing can be changed by them.
 *
 * @module
 */
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import { Hono } from 'hono/tiny';
import { printable } from '../model/printable.ts';
import { type Problem, problem } from '../model/problem.ts';
import type { AgentStatus } from '../model/status.ts';

/** Whether the agent does its work, and what stands in the way if not. */
export interface Readiness {
  readonly ready: boolean;
  readonly problems: readonly Problem[];
}

/** Where {@link createApp} gets its answers. All are called on request only. */
export interface AppSources {
  readonly readiness: () => Readiness;
  /** `undefined` as long as there is no agent yet: then it is answered why not. */
  readonly status: () => AgentStatus | undefined;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** Told of an exception in one of these functions, of which the client sees only `500`. */
  readonly onError?: ((error: Error) => void) | undefined;
}

interface Route {
  readonly path: string;
  readonly about: string;
  readonly answer: (context: Context) => Response | Promise<Response>;
}

/** `/readyz` as text names no more problems than a person reads; as JSON it has them all. */
const MAX_REASONS = 50;

/** Prometheus' text format (its documentation, "Exposition formats"). */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The app that answers `GET` and `HEAD`; take its `fetch`. */
export function createApp(sources: AppSources): Hono {
  const app = new Hono();
  const routes = routesOf(sources);
  for (const { path, answer } of routes) {
    app.get(path, answer);
    app.all(path, refuseMethod);
  }
  app.notFound((context) => answerText(notFoundText(context.req.path, routes), { status: 404 }));
  app.onError((error) => {
    sources.onError?.(error);
    return answerText('The agent failed to answer; its log says why\n', { status: 500 });
  });
  return app;
}

function routesOf({ readiness, status, metrics }: AppSources): readonly Route[] {
  return [
    {
      path: '/healthz',
      about: 'the agent runs (flannel answers the same)',
      answer: () => answerText('flanneld is running'),
    },
    { path: '/livez', about: 'the agent runs', answer: () => answerText('alive') },
    {
      path: '/readyz',
      about: 'all known peers are programmed, else 503 with the reasons (?format=json)',
      answer: (context) => answerReadiness(context, readiness()),
    },
    {
      path: '/status',
      about: 'everything that the agent knows, as JSON',
      answer: (context) => {
        const document = status();
        return document === undefined ? answerReadiness(context, readiness()) : answerJson(document);
      },
    },
    {
      path: '/metrics',
      about: 'what is counted and timed, for Prometheus',
      answer: async () => answer(await metrics(), METRICS_TYPE, {}),
    },
  ];
}

function answerReadiness(context: Context, readiness: Readiness): Response {
  const status = readiness.ready ? 200 : 503;
  const { ready } = readiness;
  const problems =
    ready || readiness.problems.length > 0 ? readiness.problems : [problem('starting', 'Not ready yet')];
  if (prefersJson(context)) return answerJson({ ready, problems }, { status });
  return answerText(ready ? 'ready' : notReadyText(problems), { status });
}

/** `?format=` decides, then the `Accept` header (RFC 9110, 12.5.1); whoever accepts all gets text. */
function prefersJson(context: Context): boolean {
  const format = context.req.query('format');
  if (format !== undefined) return format === 'json';
  // Probes say nothing of JSON: what reads the header in full is not even compiled for them.
  if (context.req.header('Accept')?.includes('json') !== true) return false;
  const supports = ['text/plain', 'application/json'];
  return accepts(context, { header: 'Accept', supports, default: 'text/plain' }) === 'application/json';
}

/** What differs from a plain `200`. */
interface AnswerOptions {
  readonly status?: number;
  readonly allow?: string;
}

function answerText(text: string, options: AnswerOptions = {}): Response {
  return answer(text, 'text/plain; charset=utf-8', options);
}

function answerJson(value: unknown, options: AnswerOptions = {}): Response {
  return answer(JSON.stringify(value), 'application/json', options);
}

/**
 * A response that no proxy keeps. It is made without hono's context and middleware, which would build every
 * header twice: over some hundred probes that is 0.8 MB of memory less.
 */
function answer(body: string, contentType: string, { status = 200, allow }: AnswerOptions): Response {
  const headers = {
    'Content-Type': contentType,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  };
  return new Response(body, {
    status,
    headers: allow === undefined ? headers : { ...headers, Allow: allow },
  });
}

function notReadyText(problems: readonly Problem[]): string {
  const lines = problems
    .slice(0, MAX_REASONS)
    .map(({ code, message, remedy }) => `${printable(message)}. ${printable(remedy)} [${code}]\n`);
  const more = problems.length - lines.length;
  return `not ready\n${lines.join('')}${more > 0 ? `and ${more} more: ?format=json shows all\n` : ''}`;
}

function refuseMethod(): Response {
  return answerText('Only GET and HEAD are answered here\n', { status: 405, allow: 'GET, HEAD' });
}

function notFoundText(path: string, routes: readonly Route[]): string {
  const list = routes.map((route) => `${route.path.padEnd(10)}${route.about}\n`).join('');
  return `There is nothing at '${printable(path.slice(0, 100))}'. These answer:\n${list}`;
}
