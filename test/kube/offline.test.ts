/** Agents without the API server: what they keep, what they restore, what they say meanwhile. @module */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allPairs, pingPairs } from '../../src/cli/demo/pings.ts';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { eventually } from '../net/agent-support.ts';
import type { LabNode } from '../net/lab.ts';
import { KubeLab } from './kube-lab.ts';

let kube: KubeLab;
beforeEach(async () => {
  kube = await KubeLab.start({ nodes: 3, withNodes: false });
});
afterEach(() => kube?.[Symbol.asyncDispose]());

const readyz = async (node: LabNode): Promise<string> => (await node.agent.get('/readyz'))?.text ?? '';
const stateFile = (node: LabNode) => join(node.agent.directory, 'state', 'leases.tsv');

async function startAll(): Promise<Pod[]> {
  for (const node of kube.lab.nodes) await kube.createNode(node);
  await kube.lab.startAll();
  return await kube.lab.addPods();
}

async function allAnswer(pods: readonly Pod[]): Promise<void> {
  const pings = await pingPairs(allPairs(pods));
  expect(pings.filter(({ roundTripMs }) => roundTripMs === undefined)).toEqual([]);
}

/** What a reboot takes away. */
function forgetNetwork(node: LabNode): void {
  for (const name of ['flannel.1', 'flannel-v6.1']) node.run('ip', 'link', 'delete', name);
  rmSync(join(node.agent.directory, 'subnet.env'), { force: true });
}

describe('at the first boot', () => {
  test('a node waits for its Node, then for its podCIDR, and says so', async () => {
    const node = kube.lab.node(1);
    node.start();
    await eventually(async () => expect(await readyz(node)).toContain('node-missing'));
    expect(await readyz(node)).toContain(`There is no Node '${node.name}' in the cluster yet`);
    await kube.createNode(node, []);
    await eventually(async () => expect(await readyz(node)).toContain('pod-cidr-missing'));
    const podCIDRs = kube.podCidrs(node);
    await kube.patch(node.name, { spec: { podCIDR: podCIDRs[0], podCIDRs } });
    await node.agent.ready();
    expect(await kube.annotations(node.name)).toMatchObject({ 'kube-subnet-manager': 'true' });
  });

  test('a podCIDR outside of the network is named', async () => {
    const node = kube.lab.node(1);
    await kube.createNode(node, ['10.99.1.0/24', 'fd42:0:0:1::/64']);
    node.start();
    await eventually(async () => expect(await readyz(node)).toContain('pod-cidr-invalid'));
    expect(await readyz(node)).toContain('10.99.1.0/24');
  });

  test('credentials that are not there yet are waited for', async () => {
    const node = kube.lab.node(1);
    const path = join(kube.lab.directory, 'later.kubeconfig');
    await kube.createNode(node);
    node.start({ arguments: ['--kubeconfig-file', path] });
    await eventually(async () => expect(await readyz(node)).toContain('credentials-missing'));
    writeFileSync(path, 'no: [kubeconfig');
    await eventually(async () => expect(await readyz(node)).toContain('credentials-invalid'));
    writeFileSync(path, readFileSync(kube.kubeconfig));
    await node.agent.ready();
  });
});

describe('while the server is away', () => {
  test('pods talk, repairs are made, the agent says since when, and goes on within two seconds of its return', async () => {
    const pods = await startAll();
    const [one, two] = [kube.lab.node(1), kube.lab.node(2)];
    await kube.proxy.refuse();
    await eventually(async () => expect(await readyz(one)).toContain('Cannot reach the API server'));
    await allAnswer(pods);
    one.run('ip', 'route', 'delete', '10.42.2.0/24');
    await eventually(() => expect(one.run('ip', 'route')).toContain('10.42.2.0/24'));
    await kube.proxy.pass();
    await one.agent.ready();
    // What has happened meanwhile is not lost.
    await kube.annotate(two.name, { 'public-ip-overwrite': '192.168.77.222' });
    await eventually(() =>
      expect(one.run('bridge', 'fdb', 'show', 'dev', 'flannel.1')).toContain('192.168.77.222'),
    );
  });

  test('a restart changes nothing, and after a reboot the network is restored', async () => {
    const pods = await startAll();
    const one = kube.lab.node(1);
    await eventually(() => expect(existsSync(stateFile(one))).toBe(true));
    expect(statSync(stateFile(one)).mode & 0o777).toBe(0o600);
    await eventually(() => expect(readFileSync(stateFile(one), 'utf8').split('\n').length).toBe(5));
    await kube.proxy.refuse();
    await one.kill();
    one.start();
    await eventually(async () => expect(await readyz(one)).toContain('Leases restored, stale since 20'));
    expect(await readyz(one)).toContain('store-restored');
    await eventually(async () => {
      const peers = (await one.agent.status())?.peers ?? [];
      expect(peers.map(({ state }) => state)).toEqual(['programmed', 'programmed']);
    });
    expect(await readyz(one)).not.toContain('peer-pending');
    await allAnswer(pods);
    await one.stop();
    forgetNetwork(one);
    one.start();
    await eventually(() => expect(one.run('ip', 'route')).toContain('10.42.3.0/24'));
    await eventually(() => expect(existsSync(join(one.agent.directory, 'subnet.env'))).toBe(true));
    await allAnswer(pods);
    await kube.proxy.pass();
    await one.agent.ready();
    await allAnswer(pods);
  });

  test('nothing is removed on the word of what is remembered, and the store decides when it is back', async () => {
    await startAll();
    const [one, two, three] = [kube.lab.node(1), kube.lab.node(2), kube.lab.node(3)];
    await one.stop();
    // A peer that the file does not know has its routes in the kernel.
    const lines = readFileSync(stateFile(one), 'utf8').split('\n');
    writeFileSync(stateFile(one), lines.filter((line) => !line.startsWith(`${three.name}\t`)).join('\n'));
    await kube.proxy.refuse();
    one.start();
    await eventually(async () => expect(await readyz(one)).toContain('store-restored'));
    await eventually(async () => expect((await one.agent.status())?.peers.length).toBe(1));
    expect(one.run('ip', 'route')).toContain('10.42.3.0/24');
    await two.stop();
    await kube.deleteNode(two.name);
    await kube.proxy.pass();
    await one.agent.ready();
    await eventually(() => expect(one.run('ip', 'route')).not.toContain('10.42.2.0/24'));
    expect(one.run('ip', 'route')).toContain('10.42.3.0/24');
  });

  test('a file that is damaged, or of another node, is set aside', async () => {
    await startAll();
    const [one, two] = [kube.lab.node(1), kube.lab.node(2)];
    await eventually(() => expect(existsSync(stateFile(two))).toBe(true));
    for (const [text, why] of [
      ['{"version":9}\n', 'is damaged, or of another version'],
      [readFileSync(stateFile(two), 'utf8'), `is that of node '${two.name}'`],
    ] as const) {
      await one.stop();
      writeFileSync(stateFile(one), text);
      one.start({ arguments: ['--log-format', 'json'] });
      await one.agent.ready();
      expect(readLogLines(one)).toContain(why);
      expect(readFileSync(`${stateFile(one)}.corrupt`, 'utf8')).toBe(text);
    }
  });

  test('a podCIDR that has become another meanwhile is taken when the server is back', async () => {
    await startAll();
    const [one, two] = [kube.lab.node(1), kube.lab.node(2)];
    await one.stop();
    await kube.proxy.refuse();
    one.start();
    await eventually(async () => expect(await readyz(one)).toContain('store-restored'));
    await kube.deleteNode(one.name);
    await kube.createNode(one, ['10.42.77.0/24', 'fd42:0:0:77::/64']);
    await kube.proxy.pass();
    await eventually(() => expect(one.run('ip', 'address', 'show', 'flannel.1')).toContain('10.42.77.0'));
    await eventually(() => expect(two.run('ip', 'route')).toContain('10.42.77.0/24'));
  });
});

function readLogLines(node: LabNode): string {
  return readFileSync(node.agent.logFile, 'utf8');
}

test('nothing is written while nothing happens', async () => {
  await startAll();
  const one = kube.lab.node(1);
  await eventually(() => expect(existsSync(stateFile(one))).toBe(true));
  await Bun.sleep(3_000);
  const before = statSync(stateFile(one), { bigint: true });
  // What a kubelet reports changes nothing of a lease.
  for (let i = 0; i < 20; i++)
    await kube.patch(kube.lab.node(2).name, { metadata: { annotations: { 'example.com/beat': String(i) } } });
  await Bun.sleep(3_000);
  expect(statSync(stateFile(one), { bigint: true }).mtimeNs).toBe(before.mtimeNs);
});
