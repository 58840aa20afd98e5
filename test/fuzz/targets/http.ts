/**
 * HTTP requests to the health app: every one has one of a few answers, and none is an exception.
 *
 * @module
 */
import { createApp } from '../../../src/http/app.ts';
import { problem } from '../../../src/model/problem.ts';
import { agentStatus } from '../../unit/cli/agent-status.ts';
import { pick, type Random } from '../random.ts';
import { spoilText } from '../spoil.ts';
import { inputFiles, jsonForm, mustHold, target, type Verdict } from '../target.ts';
import { mustBePrintable } from './text-rules.ts';

/** A request; what no client can send is refused before it comes to the app. */
interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

const PATHS = [
  '/metrics',
  '/healthz',
  '/livez',
  '/readyz',
  '/status',
  '/readyz?format=json',
  '/%',
  '/%00',
  '/%ff',
  '//',
  '/..',
];
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'get',
  'PROPFIND',
  'X',
  '',
] as const;
const WORDS = [
  ...['application/json', 'text/plain', '*/*', ';q=0.5', ';q=', ';q=-1', ';q=1e9', ',', ';', '?format=json'],
  ...['?format=', '&', '=', '?', '%', '%e0%80', '%2f', '#', '//', '/../', ...PATHS],
];

const codec = jsonForm<HttpRequest>();
const STATUSES = new Set([200, 404, 405, 503]);
const TYPES = new Set([
  'text/plain; charset=utf-8',
  'text/plain; version=0.0.4; charset=utf-8',
  'application/json',
]);

const failures: Error[] = [];
const [calm, troubled] = [true, false].map((ready) =>
  createApp({
    readiness: () => ({
      ready,
      problems: ready ? [] : [problem('interface-missing', "Interface 'e\u001bth' is gone")],
    }),
    status: () => agentStatus(),
    metrics: async () => '# HELP x\n',
    onError: (error) => failures.push(error),
  }),
);

/** Requests to the health app, by its `fetch`. */
export const http = target<HttpRequest>({
  name: 'http',
  samples: inputFiles('corpus', 'http').map(codec.decode),
  spoil: spoilRequest,
  run: judge,
  ...codec,
});

function spoilRequest(
  random: Random,
  { method, path, headers }: HttpRequest,
  other: HttpRequest,
): HttpRequest {
  const spliced = { words: WORDS, other: other.path };
  const { Accept: accept = 'application/json' } = { ...other.headers, ...headers };
  return {
    method: random(3) === 0 ? pick(random, METHODS) : method,
    path: random(3) === 0 ? path : spoilText(random, path, spliced).slice(0, 4096),
    headers:
      random(2) === 0 ? headers : { ...headers, Accept: spoilText(random, accept, spliced).slice(0, 4096) },
  };
}

async function judge({ method, path, headers }: HttpRequest, random: Random): Promise<Verdict> {
  const request = requestOf({ method, path, headers });
  if (request === undefined) return 'refused';
  const app = random(2) === 0 ? calm : troubled;
  if (app === undefined) throw new Error('There is no app');
  const response = await app.fetch(request);
  const body = await response.text();
  const failure = failures.pop();
  mustHold(failure === undefined, `The app failed: ${failure?.stack}`);
  mustHold(STATUSES.has(response.status), `Status ${response.status}`);
  mustHold(TYPES.has(response.headers.get('content-type') ?? ''), `${response.headers.get('content-type')}`);
  if (request.method === 'HEAD')
    mustHold(body === '' || response.status === 404 || response.status === 405, 'HEAD has a body');
  if (response.status === 405) mustHold(response.headers.get('allow') === 'GET, HEAD', 'No Allow');
  if (response.headers.get('content-type') === 'application/json') JSON.parse(body || '{}');
  else mustBePrintable(body);
  return response.status === 200 || response.status === 503 ? 'accepted' : 'refused';
}

function requestOf({ method, path, headers }: HttpRequest): Request | undefined {
  try {
    return new Request(`http://agent${path.startsWith('/') ? '' : '/'}${path}`, { method, headers });
  } catch {
    return undefined;
  }
}
