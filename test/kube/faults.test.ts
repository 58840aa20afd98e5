/** What goes wrong between an agent and the API server, and how long it takes to be over. @module */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, readLog } from '../net/agent-support.ts';
import type { LabNode } from '../net/lab.ts';
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
import { AGENT_ACCOUNT, KubeLab, PREFIX } from './kube-lab.ts';
import { LAB_ADDRESS } from './lab-cable.ts';
import { ANY, WATCH } from './proxy.ts';

let kube: KubeLab;
let node: LabNode;
let made = 0;
beforeAll(async () => {
  kube = await KubeLab.start({ nodes: 1, families: [4] });
  node = kube.lab.node(1);
  node.start({ arguments: ['--log-format', 'json'] });
  await node.agent.ready();
});
beforeEach(async () => {
  kube.proxy.forget();
  await kube.proxy.pass();
  await node.agent.ready();
});
afterAll(() => kube?.[Symbol.asyncDispose]());

const server = (): string => `https://${LAB_ADDRESS}:${kube.proxy.port}`;
const readyz = async (): Promise<string> => (await node.agent.get('/readyz'))?.text ?? '';

/** Makes a peer in the cluster and waits until the node has a route to it: then the watch works. */
async function newPeerArrives(timeoutMs?: number): Promise<void> {
  made += 1;
  const subnet = `10.42.${100 + made}.0/24`;
  const mac = `02:00:00:00:01:${made.toString(16).padStart(2, '0')}`;
  await kube.cluster.createNode(`peer-${made}`, {
    podCIDRs: [subnet],
    annotations: {
      [`${PREFIX}kube-subnet-manager`]: 'true',
      [`${PREFIX}backend-type`]: 'vxlan',
      [`${PREFIX}backend-data`]: `{"VNI":1,"VtepMAC":"${mac}"}`,
      [`${PREFIX}public-ip`]: `192.168.77.${100 + made}`,
    },
  });
  await eventually(() => expect(node.run('ip', 'route')).toContain(subnet), timeoutMs);
}

/** Ends the agent, and takes away what it remembers of leases. */
async function forget(): Promise<void> {
  await node.stop();
  rmSync(join(node.agent.directory, 'state', 'leases.tsv'), { force: true });
}

const watches = (): number => kube.proxy.requests.filter(WATCH).length;

describe('a watch is taken up again', () => {
  const endings: readonly (readonly [string, () => void])[] = [
    ['all connections end', () => kube.proxy.drop()],
    ['the next is gone (410)', () => kube.proxy.answer(1, gone(), WATCH)],
    ['the next is refused (500)', () => kube.proxy.answer(2, internalError(), WATCH)],
    ['the next is refused (503)', () => kube.proxy.answer(2, unavailable(), WATCH)],
    ['another server answers (502)', () => kube.proxy.answer(2, badGateway(), WATCH)],
    ['the next breaks off in a message', () => kube.proxy.cut(20, WATCH)],
    ['the next breaks off in the length of a message', () => kube.proxy.cut(2, WATCH)],
    [
      'the next is no watch of ours',
      () => kube.proxy.answer(1, watchOf([{ type: 'ADDED', object: {} }]), WATCH),
    ],
  ];
  test.each(endings)('when %s', async (_, make) => {
    const before = watches();
    make();
    kube.proxy.drop();
    await eventually(() => expect(watches()).toBeGreaterThan(before));
    await newPeerArrives();
    await node.agent.ready();
  });

  test('not before the time that a busy server names', async () => {
    const before = watches();
    kube.proxy.answer(1, tooManyRequests(2), WATCH);
    kube.proxy.drop();
    await eventually(() => expect(watches()).toBe(before + 2));
    const [first, second] = kube.proxy.requests.filter(WATCH).slice(-2);
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(1_990);
    await newPeerArrives();
  });

  test('when the server was killed and comes back with its memory gone', async () => {
    await kube.cluster.stopServer('SIGKILL');
    await eventually(async () => expect(await readyz()).toContain('store-unavailable'));
    await kube.cluster.compact();
    await kube.cluster.startServer();
    await newPeerArrives();
    await node.agent.ready();
  }, 60_000);

  test('when a server hangs', async () => {
    kube.proxy.stall();
    kube.proxy.drop();
    await eventually(async () => expect(await readyz()).toContain('no answer in time'), 30_000);
    await kube.proxy.pass();
    await newPeerArrives(30_000);
  }, 70_000);
});

describe('credentials', () => {
  const refusals: readonly (readonly [string, CannedAnswer, string])[] = [
    ['are not taken (401)', unauthorized(), 'store-denied'],
  ];
  test.each(refusals)('that %s are read again', async (_, answer, code) => {
    kube.proxy.answer(6, answer, ANY);
    kube.proxy.drop();
    await eventually(async () => expect(await readyz()).toContain(code));
    kube.proxy.forget();
    await newPeerArrives();
  });

  test('that may not list nodes are named with what they lack', async () => {
    const path = join(kube.lab.directory, 'kubelet.kubeconfig');
    const user = `system:node:${node.name}`;
    await kube.cluster.kubeconfig({
      user,
      groups: ['system:nodes'],
      kind: 'certificate',
      server: server(),
      path,
    });
    await forget();
    node.start({ arguments: ['--kubeconfig-file', path, '--log-format', 'json'] });
    await eventually(async () => expect(await readyz()).toContain('store-denied'));
    expect(await readyz()).toContain('cannot watch resource');
    // Rotated in place for one that may: no restart is needed.
    await kube.cluster.kubeconfig({ user: AGENT_ACCOUNT, kind: 'token', server: server(), path });
    await node.agent.ready();
    await newPeerArrives();
  });

  test('of every kind work, and are taken when they are rotated', async () => {
    for (const kind of ['token', 'token-file', 'exec', 'certificate', 'certificate-file'] as const) {
      const isCertificate = kind.startsWith('certificate');
      const who = isCertificate ? { user: 'root', groups: ['system:masters'] } : { user: AGENT_ACCOUNT };
      const path = join(kube.lab.directory, `${kind}.kubeconfig`);
      await kube.cluster.kubeconfig({ ...who, kind, server: server(), path });
      await node.stop();
      node.start({ arguments: ['--kubeconfig-file', path, '--log-format', 'json'] });
      await node.agent.ready();
      await kube.cluster.kubeconfig({ ...who, kind, server: server(), path });
      kube.proxy.drop();
      await newPeerArrives();
    }
  }, 60_000);

  test('appear in no log', () => {
    const log = JSON.stringify(readLog(node.agent));
    expect(log).not.toMatch(/eyJ|BEGIN|Bearer/);
  });
});

describe('the authority of the server', () => {
  test('may be replaced', async () => {
    await kube.cluster.rotateServingCertificate('new');
    const path = join(kube.lab.directory, 'rotated.kubeconfig');
    await node.stop();
    writeFileSync(path, 'x');
    await kube.cluster.kubeconfig({ user: AGENT_ACCOUNT, kind: 'token', server: server(), path });
    await kube.proxy.pass();
    node.start({ arguments: ['--kubeconfig-file', path, '--log-format', 'json'] });
    await node.agent.ready();
    await kube.cluster.rotateServingCertificate('new');
    await kube.proxy.pass();
    await forget();
    node.start({ arguments: ['--kubeconfig-file', path, '--log-format', 'json'] });
    await eventually(async () => expect(await readyz()).toContain('is not trusted'));
    expect(await readyz()).toContain('store-untrusted');
    await kube.cluster.kubeconfig({ user: AGENT_ACCOUNT, kind: 'token', server: server(), path });
    await node.agent.ready();
    await newPeerArrives();
  }, 60_000);
});
