import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { type ApiRequest, askApi, type Credentials } from '../../src/cli/demo/kube/api-client.ts';
import { eventually } from '../net/agent-support.ts';
import {
  badGateway,
  type CannedAnswer,
  gone,
  internalError,
  tooManyRequests,
  unauthorized,
  unavailable,
  watchOf,
} from './canned-answer.ts';
import { Cluster } from './cluster.ts';
import { FaultProxy, WATCH } from './proxy.ts';
import { STREAMING_LIST, watchEvents } from './watch-stream.ts';

let cluster: Cluster;
let proxy: FaultProxy;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.createNodes([{ name: 'a' }, { name: 'b' }]);
  proxy = await FaultProxy.start(cluster);
});
beforeEach(async () => {
  proxy.forget();
  proxy.delayMs = 0;
  await proxy.pass();
});
afterAll(async () => {
  await proxy?.close();
  await cluster?.close();
});

/** How long a test waits for what never comes. */
const PATIENCE_MS = 300;
const NODES = '/api/v1/nodes';

function ask(path: string, credentials: Credentials = cluster.plane.admin): Promise<Response> {
  return askApi({ url: proxy.url, caPem: cluster.caPem }, credentials, { path });
}

async function statusOf(path: string, credentials?: Credentials): Promise<number> {
  const response = await ask(path, credentials);
  await response.arrayBuffer();
  return response.status;
}

/** Whether nothing has come of it for a while. The request is given up. */
async function hangs(request: ApiRequest): Promise<boolean> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const server = { url: proxy.url, caPem: cluster.caPem };
  try {
    await (await askApi(server, cluster.plane.admin, { ...request, signal })).text();
    return false;
  } catch (error) {
    return error instanceof DOMException && error.name === 'TimeoutError';
  }
}

describe('what passes', () => {
  test('is who the client is, by certificate and by token', async () => {
    const kubelet = cluster.certificate({ commonName: 'system:node:a', organizations: ['system:nodes'] });
    await cluster.kubectl('create', 'serviceaccount', 'nobody');
    const token = await cluster.serviceAccountToken('default', 'nobody');
    expect(await statusOf(NODES)).toBe(200);
    expect(await statusOf(`${NODES}/a`, kubelet)).toBe(200);
    expect(await statusOf(NODES, kubelet)).toBe(403);
    expect(await statusOf(NODES, { token })).toBe(403);
    expect(await statusOf(NODES, { token: 'none' })).toBe(401);
  });

  test('is all that kubectl needs', async () => {
    const path = await cluster.kubeconfig({
      user: 'root',
      groups: ['system:masters'],
      kind: 'certificate',
      server: proxy.url,
    });
    await cluster.kubectl(`--kubeconfig=${path}`, 'annotate', 'node', 'a', 'x=y');
    expect(await cluster.kubectl('get', 'node', 'a', '-o', 'jsonpath={.metadata.annotations.x}')).toBe('y');
    expect(proxy.requests.some(({ method }) => method === 'PATCH')).toBe(true);
  });

  test('comes late, if that is asked for', async () => {
    proxy.delayMs = PATIENCE_MS;
    const startMs = performance.now();
    expect(await statusOf(NODES)).toBe(200);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(PATIENCE_MS - 1);
  });
});

describe('canned answers', () => {
  test.each<[number, CannedAnswer]>([
    [401, unauthorized()],
    [410, gone()],
    [429, tooManyRequests(7)],
    [500, internalError()],
    [502, badGateway()],
    [503, unavailable()],
  ])('%d comes as often as was said', async (status, answer) => {
    proxy.answer(2, answer);
    const response = await ask(NODES);
    expect(response.status).toBe(status);
    expect(await response.text()).toBe(answer.body);
    expect(response.headers.get('retry-after')).toBe(answer.headers?.['Retry-After'] ?? null);
    expect([await statusOf(NODES), await statusOf(NODES)]).toEqual([status, 200]);
  });

  test('only the requests that match get one', async () => {
    proxy.answer(1, unavailable(), WATCH);
    expect(await statusOf(NODES)).toBe(200);
    expect(await statusOf(`${NODES}?watch=true&timeoutSeconds=1`)).toBe(503);
  });

  test('a watch says what no server would', async () => {
    const event = { type: 'ADDED', object: { metadata: { name: 7 } } };
    proxy.answer(1, watchOf([event]), WATCH);
    for await (const said of watchEvents(await ask(STREAMING_LIST), 'json')) {
      expect(JSON.parse(said.toString())).toEqual(event);
      break;
    }
  });
});

describe('broken connections', () => {
  test('an answer breaks off in the middle of a line', async () => {
    proxy.cut(100, WATCH);
    const response = await ask(STREAMING_LIST);
    let received = '';
    const read = async () => {
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) received += decoder.decode(chunk);
    };
    expect(response.status).toBe(200);
    expect(read()).rejects.toThrow();
    await read().catch(() => {});
    expect(received.length).toBeLessThanOrEqual(100);
    expect(received).toMatch(/^\{"type":"ADDED",[^\n]+$/);
    expect(await statusOf(NODES)).toBe(200);
  });

  test('a watch stays open and says nothing', async () => {
    proxy.mute(1);
    expect(await hangs({ path: STREAMING_LIST })).toBe(true);
    expect(await statusOf(NODES)).toBe(200);
  });

  test('a request is taken and not answered', async () => {
    proxy.ignore(1);
    expect(await hangs({ path: NODES })).toBe(true);
    expect(await statusOf(NODES)).toBe(200);
  });

  test('all connections end', async () => {
    const response = await ask(STREAMING_LIST);
    proxy.drop();
    expect(response.text()).rejects.toThrow();
    expect(await statusOf(NODES)).toBe(200);
  });

  test('nobody listens', async () => {
    await proxy.refuse();
    expect(ask(NODES)).rejects.toThrow(/connect|refused/i);
    await proxy.pass();
    expect(await statusOf(NODES)).toBe(200);
  });

  test.each(['vanish', 'stall'] as const)(
    '%s: old and new connections hang until new ones pass',
    async (way) => {
      const watch = watchEvents(await ask(STREAMING_LIST), 'json');
      await watch.next();
      await proxy[way]();
      await cluster.createNode(`unseen-${way}`);
      expect(await hangs({ path: NODES })).toBe(true);
      await proxy.pass();
      await eventually(async () => expect(await statusOf(NODES)).toBe(200));
      expect(proxy.connections).toBeGreaterThan(1);
      proxy.drop();
    },
  );
});
