/** Where credentials and the node's name come from, and servers that cannot do everything. @module */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { eventually } from '../net/agent-support.ts';
import type { LabNode } from '../net/lab.ts';
import { programPath } from '../program-path.ts';
import { findBinaries } from './binaries.ts';
import { Cluster, WITHOUT_STREAMING_LISTS } from './cluster.ts';
import { AGENT_ACCOUNT, KubeLab } from './kube-lab.ts';
import { LAB_ADDRESS } from './lab-cable.ts';
import { WATCH } from './proxy.ts';

/** Where a pod has the secret of its service account, and K3s its own credentials: in this test's own file system. */
const SERVICE_ACCOUNT = '/run/secrets/kubernetes.io/serviceaccount';
const K3S = '/var/lib/rancher/k3s/agent/k3scontroller.kubeconfig';

let kube: KubeLab;
let node: LabNode;
beforeAll(async () => {
  // Nothing of the machine's own is touched: what is below stands in memory of this test.
  for (const path of HIDDEN) mount('-t', 'tmpfs', 'tmpfs', path);
  kube = await KubeLab.start({
    nodes: 1,
    families: [4],
    cluster: { flags: [WITHOUT_STREAMING_LISTS] },
    backend: { Type: 'host-gw' },
    withCredentials: false,
  });
  node = kube.lab.node(1);
});
afterEach(async () => {
  await node.stop();
  for (const path of [dirname(SERVICE_ACCOUNT), dirname(K3S)]) rmSync(path, { recursive: true, force: true });
  rmSync(join(node.agent.directory, 'state'), { recursive: true, force: true });
});
afterAll(async () => {
  await kube?.[Symbol.asyncDispose]();
  for (const path of HIDDEN) Bun.spawnSync(['umount', '--lazy', path]);
});

const HIDDEN = ['/run', '/var/lib'];

function mount(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(['mount', ...args], { stderr: 'pipe' });
  if (exitCode !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr}`);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const token = (): Promise<string> => kube.cluster.serviceAccountToken('kube-system', 'flannelette');

describe('without a flag', () => {
  const pod = () => ({
    KUBERNETES_SERVICE_HOST: LAB_ADDRESS,
    KUBERNETES_SERVICE_PORT: String(kube.proxy.port),
  });

  test("a pod's service account is used, and its token when it is rotated", async () => {
    write(`${SERVICE_ACCOUNT}/ca.crt`, kube.cluster.caPem);
    write(
      `${SERVICE_ACCOUNT}/token`,
      await kube.cluster.serviceAccountToken('kube-system', 'flannelette', 5),
    );
    node.start({ environment: pod() });
    await node.agent.ready();
    write(`${SERVICE_ACCOUNT}/token`, await token());
    kube.proxy.drop();
    const before = kube.proxy.requests.filter(WATCH).length;
    await eventually(() => expect(kube.proxy.requests.filter(WATCH).length).toBeGreaterThan(before));
    await node.agent.ready();
  });

  test("K3s' own credentials are, once K3s has written them", async () => {
    node.start();
    await eventually(async () => expect((await node.agent.get('/readyz'))?.text).toContain(K3S));
    const server = `https://${LAB_ADDRESS}:${kube.proxy.port}`;
    const path = await kube.cluster.kubeconfig({ user: AGENT_ACCOUNT, kind: 'token', server });
    write(K3S, readFileSync(path, 'utf8'));
    await node.agent.ready();
  });

  test('a pod that is told its own name only asks for its node', async () => {
    write(`${SERVICE_ACCOUNT}/ca.crt`, kube.cluster.caPem);
    write(`${SERVICE_ACCOUNT}/token`, await token());
    const spec = {
      nodeName: node.name,
      containers: [{ name: 'a', image: 'none' }],
      automountServiceAccountToken: false,
    };
    const body = {
      metadata: { name: 'agent', namespace: 'kube-system' },
      spec: { ...spec, serviceAccountName: 'flannelette' },
    };
    node.start({ environment: { ...pod(), NODE_NAME: '', POD_NAME: 'agent', POD_NAMESPACE: 'kube-system' } });
    await eventually(async () => expect((await node.agent.get('/readyz'))?.text).toContain('not found'));
    const made = await kube.cluster.request('POST', '/api/v1/namespaces/kube-system/pods', body);
    expect(made.status).toBe(201);
    await node.agent.ready();
    expect((await node.agent.status())?.node).toBe(node.name);
  });
});

test('a list comes in pages where the server cannot stream it, with all that is in it', async () => {
  const server = `https://${LAB_ADDRESS}:${kube.proxy.port}`;
  const path = await kube.cluster.kubeconfig({ user: AGENT_ACCOUNT, kind: 'token', server });
  const names = Array.from({ length: 120 }, (_, i) => `bare-${i}`);
  await kube.cluster.createNodes(names.map((name) => ({ name })));
  node.start({ arguments: ['--kubeconfig-file', path] });
  await node.agent.ready();
  const pages = kube.proxy.requests.filter((request) => request.path.includes('limit=50'));
  expect(pages.length).toBeGreaterThanOrEqual(3);
  await Promise.all(names.map((name) => kube.deleteNode(name)));
});

test('host-gw is told as flanneld does, and an ExternalIP if that is wanted', async () => {
  const server = `https://${LAB_ADDRESS}:${kube.proxy.port}`;
  const path = await kube.cluster.kubeconfig({ user: AGENT_ACCOUNT, kind: 'token', server });
  const expected = { 'backend-data': 'null', 'backend-type': 'host-gw', 'kube-subnet-manager': 'true' };
  node.start({ arguments: ['--kubeconfig-file', path] });
  await node.agent.ready();
  await eventually(async () =>
    expect(await kube.annotations(node.name)).toEqual({ ...expected, 'public-ip': '192.168.77.1' }),
  );
  await node.stop();
  await kube.patch(
    node.name,
    { status: { addresses: [{ type: 'ExternalIP', address: '203.0.113.7' }] } },
    '/status',
  );
  node.start({ arguments: ['--kubeconfig-file', path, '--kube-external-ip'] });
  await node.agent.ready();
  await eventually(async () =>
    expect(await kube.annotations(node.name)).toEqual({ ...expected, 'public-ip': '203.0.113.7' }),
  );
});

test("Debian's etcd, which is too old for streaming lists, is good enough", async () => {
  const etcd = programPath('etcd');
  const { stdout } = Bun.spawnSync([etcd, '--version']);
  expect(stdout.toString()).toContain('etcd Version: 3.4');
  await using old = await Cluster.start({ addresses: [LAB_ADDRESS], binaries: { ...findBinaries(), etcd } });
  await old.createNode(node.name, { podCIDRs: ['10.42.1.0/24'] });
  const server = `https://${LAB_ADDRESS}:${old.port}`;
  const path = await old.kubeconfig({
    user: 'root',
    groups: ['system:masters'],
    kind: 'certificate',
    server,
  });
  node.start({ arguments: ['--kubeconfig-file', path] });
  await node.agent.ready();
});
