import { expect, test } from 'bun:test';
import { type AppSources, createApp } from '../../../src/http/app.ts';
import { problem, REMEDIES } from '../../../src/model/problem.ts';
import { agentStatus, manyPeers } from '../cli/agent-status.ts';

const READY: AppSources = {
  readiness: () => ({ ready: true, problems: [] }),
  status: () => agentStatus(),
  metrics: async () => 'up 1\n',
};

const TROUBLED: AppSources = {
  status: () => agentStatus(),
  metrics: async () => {
    throw new Error('inner secret');
  },
  readiness: () => ({
    ready: false,
    problems: [
      problem('interface-missing', "Interface 'eth0\u001b[2J' is gone"),
      problem('peer-pending', "Peer 'edge-2' is not programmed yet"),
    ],
  }),
};

async function ask(sources: AppSources, path: string, init?: RequestInit) {
  const response = await createApp(sources).request(path, init);
  return { status: response.status, body: await response.text(), headers: response.headers };
}

test('createApp() answers /healthz as flannel does', async () => {
  const { status, body, headers } = await ask(TROUBLED, '/healthz');
  expect([status, body]).toEqual([200, 'flanneld is running']);
  expect(headers.get('content-type')?.toLowerCase()).toBe('text/plain; charset=utf-8');
  expect(headers.get('cache-control')).toBe('no-store');
});

test('createApp() answers /livez and a ready /readyz', async () => {
  expect(await ask(TROUBLED, '/livez')).toMatchObject({ status: 200, body: 'alive' });
  expect(await ask(READY, '/readyz')).toMatchObject({ status: 200, body: 'ready' });
  expect((await ask(READY, '/readyz?format=json')).body).toBe('{"ready":true,"problems":[]}');
});

test('createApp() gives the reasons of a 503 in words, one to a line, without control characters', async () => {
  const { status, body } = await ask(TROUBLED, '/readyz');
  expect(status).toBe(503);
  expect(body).toBe(
    [
      'not ready',
      `Interface 'eth0\\u001b[2J' is gone. ${REMEDIES['interface-missing']} [interface-missing]`,
      `Peer 'edge-2' is not programmed yet. ${REMEDIES['peer-pending']} [peer-pending]`,
      '',
    ].join('\n'),
  );
});

test('createApp() has no status before there is an agent, but its reasons', async () => {
  const starting = { ...TROUBLED, status: () => undefined };
  const { status, body } = await ask(starting, '/status', { headers: { Accept: 'application/json' } });
  expect(status).toBe(503);
  expect(JSON.parse(body)).toMatchObject({ ready: false, problems: [{ code: 'interface-missing' }, {}] });
});

test('createApp() gives the reasons as JSON to whoever prefers it', async () => {
  const json = async (path: string, accept?: string) => {
    const answer = await ask(TROUBLED, path, accept === undefined ? {} : { headers: { Accept: accept } });
    expect(answer.status).toBe(503);
    return answer.headers.get('content-type')?.startsWith('application/json');
  };
  expect(await json('/readyz', 'application/json')).toBe(true);
  expect(await json('/readyz', 'text/plain;q=0.5, application/json')).toBe(true);
  expect(await json('/readyz?format=json', 'text/plain')).toBe(true);
  expect(await json('/readyz')).toBe(false);
  expect(await json('/readyz', '*/*')).toBe(false);
  expect(await json('/readyz', 'text/plain, application/json;q=0.9')).toBe(false);
  expect(await json('/readyz?format=text', 'application/json')).toBe(false);
  expect(await json('/readyz', ';;;,,q=/')).toBe(false);
  const { body } = await ask(TROUBLED, '/readyz?format=json');
  expect(JSON.parse(body)).toEqual({
    ready: false,
    problems: [
      {
        code: 'interface-missing',
        message: "Interface 'eth0\u001b[2J' is gone",
        remedy: REMEDIES['interface-missing'],
      },
      {
        code: 'peer-pending',
        message: "Peer 'edge-2' is not programmed yet",
        remedy: REMEDIES['peer-pending'],
      },
    ],
  });
});

test('createApp() gives a reason even when it is told none, and not thousands', async () => {
  const { body } = await ask({ ...TROUBLED, readiness: () => ({ ready: false, problems: [] }) }, '/readyz');
  expect(body).toBe(`not ready\nNot ready yet. ${REMEDIES.starting} [starting]\n`);
  const problems = Array.from({ length: 5_000 }, (_, i) => problem('peer-pending', `Peer 'edge-${i}' waits`));
  const many = await ask({ ...TROUBLED, readiness: () => ({ ready: false, problems }) }, '/readyz');
  expect(many.body.split('\n')).toHaveLength(53);
  expect(many.body).toEndWith('and 4950 more: ?format=json shows all\n');
});

test('createApp() answers /status as JSON, made anew each time', async () => {
  let calls = 0;
  const app = createApp({
    ...READY,
    status: () => {
      calls++;
      return agentStatus();
    },
  });
  expect(calls).toBe(0);
  const response = await app.request('/status');
  expect(response.headers.get('content-type')).toStartWith('application/json');
  expect(await response.json()).toEqual(JSON.parse(JSON.stringify(agentStatus())));
  expect(calls).toBe(1);
});

test('createApp() answers /status of 5,000 peers', async () => {
  const { status, body } = await ask({ ...READY, status: () => manyPeers(5_000) }, '/status');
  expect(status).toBe(200);
  expect(JSON.parse(body).peers).toHaveLength(5_000);
});

test('createApp() answers /metrics in the type that scrapers expect, also while it is not ready', async () => {
  const { status, body, headers } = await ask(READY, '/metrics');
  expect([status, body]).toEqual([200, 'up 1\n']);
  expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(headers.get('cache-control')).toBe('no-store');
  const metrics = async () => 'up 0\n';
  expect(await ask({ ...TROUBLED, metrics }, '/metrics')).toMatchObject({ status: 200, body: 'up 0\n' });
});

test('createApp() says 404 in words that list the paths', async () => {
  expect(await ask(READY, '/')).toMatchObject({
    status: 404,
    body: [
      "There is nothing at '/'. These answer:",
      '/healthz  the agent runs (flannel answers the same)',
      '/livez    the agent runs',
      '/readyz   all known peers are programmed, else 503 with the reasons (?format=json)',
      '/status   everything that the agent knows, as JSON',
      '/metrics  what is counted and timed, for Prometheus',
      '',
    ].join('\n'),
  });
  expect((await ask(READY, `/${'%1b[2J'.repeat(1_000)}`)).body.length).toBeLessThan(600);
});

test('createApp() takes GET and HEAD and refuses other methods', async () => {
  for (const path of ['/healthz', '/livez', '/readyz', '/status', '/metrics']) {
    const head = await ask(READY, path, { method: 'HEAD' });
    expect([head.status, head.body]).toEqual([200, '']);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const refused = await ask(READY, path, { method });
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
  }
  expect((await ask(TROUBLED, '/readyz', { method: 'HEAD' })).status).toBe(503);
  expect((await ask(READY, '/nothing', { method: 'POST' })).status).toBe(404);
});

test('createApp() hides an exception from the client and tells the caller', async () => {
  const errors: Error[] = [];
  const sources: AppSources = {
    ...READY,
    readiness: () => {
      throw new Error('inner secret');
    },
    onError: (error) => errors.push(error),
  };
  const { status, body } = await ask(sources, '/readyz');
  expect([status, body]).toEqual([500, 'The agent failed to answer; its log says why\n']);
  expect((await ask({ ...TROUBLED, onError: (error) => errors.push(error) }, '/metrics')).status).toBe(500);
  expect(errors.map((error) => error.message)).toEqual(['inner secret', 'inner secret']);
});
