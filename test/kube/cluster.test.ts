import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import * as v from 'valibot';
import { askApi, type Credentials } from '../../src/cli/demo/kube/api-client.ts';
import { Authority } from '../../src/cli/demo/kube/certificates.ts';
import { eventually } from '../net/agent-support.ts';
import { Cluster, WITHOUT_STREAMING_LISTS } from './cluster.ts';
import type { CredentialKind } from './kubeconfig.ts';
import { kubeletConditions } from './node-objects.ts';
import {
  INITIAL_EVENTS_END,
  STREAMING_LIST,
  WATCH_ACCEPT,
  type WatchEncoding,
  watchEvents,
} from './watch-stream.ts';

const RBAC = join(import.meta.dir, '../../k3s/rbac.yaml');
const AGENT = 'system:serviceaccount:kube-system:flannelette';
const PATCH = 'application/strategic-merge-patch+json';

const nodeSchema = v.looseObject({
  metadata: v.looseObject({ name: v.string(), resourceVersion: v.string() }),
});

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.kubectl('apply', '-f', RBAC);
  await cluster.createNodes([
    { name: 'a', podCIDRs: ['10.42.1.0/24', 'fd42:0:0:1::/64'] },
    { name: 'b', podCIDRs: ['10.42.2.0/24'], fat: true },
  ]);
});
afterAll(() => cluster?.close());

const kubeletOf = (name: string): Credentials =>
  cluster.certificate({ commonName: `system:node:${name}`, organizations: ['system:nodes'] });

const agent = async (): Promise<Credentials> => ({
  token: await cluster.serviceAccountToken('kube-system', 'flannelette'),
});

async function statusOf(
  credentials: Credentials,
  method: string,
  path: string,
  body?: unknown,
): Promise<number> {
  const response = await cluster.ask(credentials, { method, path, body, contentType: PATCH });
  await response.arrayBuffer();
  return response.status;
}

/** What a new connection says of the server's certificate. */
function handshake(ca: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host: '127.0.0.1', port: cluster.port, ca }, () => {
    resolve('trusted');
    socket.destroy();
  });
  socket.once('error', ({ message }) => resolve(message));
  return promise;
}

describe('a cluster', () => {
  test('has a certificate of its own authority, and a client that knows another refuses it', async () => {
    const other = { url: cluster.url, caPem: new Authority('other').certificatePem };
    expect((await cluster.request('GET', '/readyz')).status).toBe(200);
    expect(askApi(other, await agent(), { path: '/readyz' })).rejects.toThrow(/certificate/i);
  });

  test('refuses a certificate of another authority, one that has ended, and a token that is none', async () => {
    const foreign = new Authority('other').issue({
      usage: 'client',
      commonName: 'x',
      organizations: ['system:masters'],
    });
    const ended = cluster.certificate({ commonName: 'x', organizations: ['system:masters'] }, -1);
    for (const credentials of [foreign, ended, { token: 'none' }])
      expect(await statusOf(credentials, 'GET', '/api/v1/nodes')).toBe(401);
  });

  test('is seen by kubectl', async () => {
    const printed = await cluster.kubectl(
      'get',
      'nodes',
      '-o',
      'custom-columns=:metadata.name,:spec.podCIDRs',
      '--no-headers',
    );
    expect(
      printed
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/)),
    ).toEqual([
      ['a', '[10.42.1.0/24', 'fd42:0:0:1::/64]'],
      ['b', '[10.42.2.0/24]'],
    ]);
    expect(await cluster.kubectl('version')).toMatch(/Server Version: v1\.\d+\.\d+/);
  });

  test('has nodes as a kubelet leaves them', async () => {
    const response = await cluster.request('GET', '/api/v1/nodes/b');
    const text = await response.text();
    expect(text.length).toBeGreaterThan(12_000);
    expect(text.length).toBeLessThan(20_000);
    for (const part of ['"managedFields"', '"subresource":"status"', '"KubeletReady"', '"sizeBytes"'])
      expect(text).toContain(part);
  });
});

describe('RBAC', () => {
  test('lets the agent do what it needs', async () => {
    const own = await agent();
    const annotations = { 'flannel.alpha.coreos.com/kube-subnet-manager': 'true' };
    for (const path of [
      '/api/v1/nodes?limit=50',
      '/api/v1/nodes/a',
      '/api/v1/nodes?watch=true&timeoutSeconds=1',
    ])
      expect({ path, status: await statusOf(own, 'GET', path) }).toEqual({ path, status: 200 });
    expect(await statusOf(own, 'PATCH', '/api/v1/nodes/a/status', { metadata: { annotations } })).toBe(200);
    expect(await cluster.kubectl('get', 'node', 'a', '-o', 'jsonpath={.metadata.annotations}')).toBe(
      JSON.stringify(annotations),
    );
    // There is no such pod, which only who may read pods is told.
    expect(await statusOf(own, 'GET', '/api/v1/namespaces/kube-system/pods/x')).toBe(404);
  });

  test('and nothing else', async () => {
    const own = await agent();
    const denied = [
      ['PATCH', '/api/v1/nodes/a'],
      ['DELETE', '/api/v1/nodes/a'],
      ['GET', '/api/v1/namespaces/kube-system/pods'],
      ['GET', '/api/v1/namespaces/default/pods/x'],
      ['GET', '/api/v1/namespaces/kube-system/secrets'],
      ['GET', '/api/v1/namespaces'],
    ] as const;
    for (const [method, path] of denied) {
      const body = method === 'PATCH' ? { metadata: { labels: { x: 'y' } } } : undefined;
      expect({ method, path, status: await statusOf(own, method, path, body) }).toEqual({
        method,
        path,
        status: 403,
      });
    }
  });
});

describe('NodeRestriction', () => {
  const status = () => ({ status: { conditions: kubeletConditions(new Date()) } });

  test('lets a kubelet report its own node, and no other', async () => {
    expect(await statusOf(kubeletOf('a'), 'PATCH', '/api/v1/nodes/a/status', status())).toBe(200);
    expect(await statusOf(kubeletOf('a'), 'PATCH', '/api/v1/nodes/b/status', status())).toBe(403);
  });

  test('and a kubelet may not list nodes', async () => {
    expect(await statusOf(kubeletOf('a'), 'GET', '/api/v1/nodes/a')).toBe(200);
    expect(await statusOf(kubeletOf('a'), 'GET', '/api/v1/nodes')).toBe(403);
  });
});

test.each<WatchEncoding>(['json', 'protobuf'])(
  'a streaming list (%s) ends with its bookmark',
  async (encoding) => {
    const accept = WATCH_ACCEPT[encoding];
    const response = await cluster.ask(await agent(), { path: STREAMING_LIST, accept });
    expect(accept).toStartWith(response.headers.get('content-type') ?? 'none');
    const seen: string[] = [];
    for await (const event of watchEvents(response, encoding)) {
      const text = event.toString('latin1');
      seen.push(/ADDED|BOOKMARK/.exec(text)?.[0] ?? text);
      if (text.includes(INITIAL_EVENTS_END)) break;
    }
    expect(seen).toEqual(['ADDED', 'ADDED', 'BOOKMARK']);
  },
);

test('a server may be one that has no streaming lists', async () => {
  await using old = await Cluster.start({ flags: [WITHOUT_STREAMING_LISTS] });
  const response = await old.request('GET', STREAMING_LIST);
  expect(response.status).toBe(422);
  expect(await response.text()).toContain('sendInitialEvents is forbidden for watch');
  expect((await old.request('GET', '/api/v1/nodes?limit=50')).status).toBe(200);
});

describe('kubeconfig', () => {
  const mayI = async (path: string, verb: string) =>
    (await cluster.kubectl(`--kubeconfig=${path}`, 'auth', 'can-i', verb, 'nodes').catch(() => 'no')).trim();

  test.each<CredentialKind>(['token', 'token-file', 'exec'])('of a service account, by %s', async (kind) => {
    const path = await cluster.kubeconfig({ user: AGENT, kind });
    expect([await mayI(path, 'list'), await mayI(path, 'delete')]).toEqual(['yes', 'no']);
  });

  test.each<CredentialKind>(['certificate', 'certificate-file', 'exec'])(
    'of an administrator, by %s',
    async (kind) => {
      const path = await cluster.kubeconfig({ user: 'root', groups: ['system:masters'], kind });
      expect(await mayI(path, 'delete')).toBe('yes');
      if (kind === 'exec') expect(readFileSync(`${path}.calls`, 'utf8')).toMatch(/^(called\n)+$/);
    },
  );

  test('is written again with other credentials', async () => {
    const path = await cluster.kubeconfig({ user: AGENT, kind: 'token-file', seconds: -55 });
    const before = readFileSync(`${path}.token`, 'utf8');
    expect(await mayI(path, 'list')).toBe('yes');
    await cluster.kubeconfig({ user: AGENT, kind: 'token-file', path });
    const after = readFileSync(`${path}.token`, 'utf8');
    expect(after).not.toBe(before);
    // The server allows for clocks that are a minute apart, and remembers for ten seconds that a token was good.
    await eventually(async () => expect(await statusOf({ token: before }, 'GET', '/api/v1/nodes')).toBe(401));
    expect(await statusOf({ token: after }, 'GET', '/api/v1/nodes')).toBe(200);
  });
});

describe('trouble', () => {
  test('a certificate is rotated while the server runs, also to another authority', async () => {
    const before = cluster.caPem;
    await cluster.rotateServingCertificate();
    expect(cluster.caPem).toBe(before);
    expect((await cluster.request('GET', '/readyz')).status).toBe(200);
    await cluster.rotateServingCertificate('new');
    expect(cluster.caPem).not.toBe(before);
    expect((await cluster.request('GET', '/readyz')).status).toBe(200);
    // Not by `fetch`: it resumes the session that it has, in which no certificate is shown.
    expect(await handshake(before)).toMatch(/certificate/i);
    expect(await handshake(cluster.caPem)).toBe('trusted');
  });

  test('a certificate may be over, or not begin yet', async () => {
    const year = (number: number) => new Date(Date.UTC(number, 0));
    const now = new Date().getUTCFullYear();
    await cluster.rotateServingCertificate('same', { notBefore: year(now - 2), notAfter: year(now - 1) });
    expect(await handshake(cluster.caPem)).toMatch(/expired/);
    await cluster.rotateServingCertificate('same', { notBefore: year(now + 1), notAfter: year(now + 2) });
    expect(await handshake(cluster.caPem)).toMatch(/not yet valid/);
    await cluster.rotateServingCertificate();
    expect(await handshake(cluster.caPem)).toBe('trusted');
  });

  test('a server that is away refuses, and comes back on its port with what it knew', async () => {
    const { url } = cluster;
    const watch = await cluster.request('GET', STREAMING_LIST);
    await cluster.stopServer();
    expect(await watch.text()).toContain(INITIAL_EVENTS_END);
    expect(cluster.request('GET', '/readyz')).rejects.toThrow();
    await cluster.startServer();
    expect(cluster.url).toBe(url);
    expect((await cluster.request('GET', '/api/v1/nodes/a')).status).toBe(200);
  });

  test('a watch from before a compaction and a restart is Gone', async () => {
    const { metadata } = v.parse(nodeSchema, await (await cluster.request('GET', '/api/v1/nodes/a')).json());
    for (const name of ['c', 'd']) await cluster.createNode(name);
    await cluster.compact();
    await cluster.stopServer('SIGKILL');
    await cluster.startServer();
    const path = `/api/v1/nodes?watch=true&timeoutSeconds=5&resourceVersion=${metadata.resourceVersion}`;
    const text = await (await cluster.ask(await agent(), { path })).text();
    expect(text).toContain('"type":"ERROR"');
    expect(text).toContain('"code":410');
  });
});
