/** Whole agents whose leases are a real cluster's: what Nodes say, and what agents make of it. @module */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { allPairs, pingPairs } from '../../src/cli/demo/pings.ts';
import { eventually } from '../net/agent-support.ts';
import type { LabNode } from '../net/lab.ts';
import { KubeLab, PREFIX } from './kube-lab.ts';

let kube: KubeLab;
beforeAll(async () => {
  kube = await KubeLab.start({ nodes: 3 });
  await kube.lab.startAll();
});
beforeEach(async () => {
  await kube.lab.settled();
});
afterAll(() => kube?.[Symbol.asyncDispose]());

const nodes = (): readonly [LabNode, LabNode, LabNode] => [
  kube.lab.node(1),
  kube.lab.node(2),
  kube.lab.node(3),
];

function macOf(node: LabNode, device: string): unknown {
  const [{ address } = {}] = node.ip('link', 'show', device);
  return address;
}

function routesOf(node: LabNode): unknown[] {
  const all = [...node.ip('-4', 'route'), ...node.ip('-6', 'route')];
  return all.filter(({ protocol }) => protocol === '102').map(({ dst }) => dst);
}

test('pods reach each other', async () => {
  const pods = await kube.lab.addPods();
  const pings = await pingPairs(allPairs(pods));
  expect(pings.length).toBeGreaterThan(0);
  expect(pings.filter(({ roundTripMs }) => roundTripMs === undefined)).toEqual([]);
});

test('annotations are what flanneld writes, byte for byte', async () => {
  for (const [i, node] of nodes().entries()) {
    expect(await kube.annotations(node.name)).toEqual({
      'backend-data': `{"VNI":1,"VtepMAC":"${macOf(node, 'flannel.1')}"}`,
      'backend-type': 'vxlan',
      'backend-v6-data': `{"VNI":1,"VtepMAC":"${macOf(node, 'flannel-v6.1')}"}`,
      'kube-subnet-manager': 'true',
      'public-ip': `192.168.77.${i + 1}`,
      'public-ipv6': `fd77::${i + 1}`,
    });
  }
});

test('the condition of the Node is set, and again if somebody sets it back', async () => {
  const [{ name }] = nodes();
  await eventually(async () => expect(await kube.condition(name)).toBe('False FlannelIsUp'));
  const conditions = [{ type: 'NetworkUnavailable', status: 'True', reason: 'NoRouteCreated' }];
  await kube.patch(name, { status: { conditions } }, '/status');
  await eventually(async () => expect(await kube.condition(name)).toBe('False FlannelIsUp'));
});

test('when the server was heard of is in the status and the metrics', async () => {
  const [{ agent }] = nodes();
  const heardAtMs = (await agent.status())?.store?.heardAtMs ?? 0;
  expect(heardAtMs).toBeGreaterThan(Date.now() - 120_000);
  expect((await agent.get('/metrics'))?.text).toMatch(/^flannelette_store_heard_timestamp_seconds \d+/m);
});

describe('annotations', () => {
  test('that are stripped or changed come back, those of others stay', async () => {
    const [{ name }] = nodes();
    const before = await kube.annotations(name);
    await kube.patch(name, { metadata: { annotations: { 'example.com/x': 'y' } } });
    await kube.annotate(name, {
      'backend-data': null,
      'public-ip': '10.9.9.9',
      'kube-subnet-manager': 'false',
    });
    await eventually(async () => expect(await kube.annotations(name)).toEqual(before));
    expect(
      await kube.cluster.kubectl('get', 'node', name, '-o', 'jsonpath={.metadata.annotations}'),
    ).toContain('example.com/x');
  });

  test('a public address that is overwritten is told to peers, and what is no address is not', async () => {
    const [one, two] = nodes();
    await kube.annotate(one.name, { 'public-ip-overwrite': '192.168.77.201' });
    await eventually(async () =>
      expect(await kube.annotations(one.name)).toMatchObject({ 'public-ip': '192.168.77.201' }),
    );
    const toOne = () => two.bridge('fdb', 'show', 'dev', 'flannel.1').map(({ dst }) => dst);
    await eventually(() => expect(toOne()).toContain('192.168.77.201'));
    await kube.annotate(one.name, { 'public-ip-overwrite': 'nonsense' });
    await eventually(() => expect(toOne()).toContain('192.168.77.1'));
    await kube.annotate(one.name, { 'public-ip-overwrite': null });
  });

  test('a peer that is no node of flannel any more is removed, and comes back', async () => {
    const [one, two] = nodes();
    await two.stop();
    await kube.annotate(two.name, { 'kube-subnet-manager': null });
    await eventually(() => expect(routesOf(one)).toEqual(['10.42.3.0/24', 'fd42:0:0:3::/64']));
    two.start();
    await two.agent.ready();
    await eventually(() => expect(routesOf(one)).toContain('10.42.2.0/24'));
  });

  test('a change of one family counts', async () => {
    const [one, two] = nodes();
    await two.stop();
    const mac = '02:42:00:00:00:99';
    await kube.annotate(two.name, { 'backend-v6-data': `{"VNI":1,"VtepMAC":"${mac}"}` });
    const neighbours = () =>
      one.ip('-6', 'neighbour', 'show', 'dev', 'flannel-v6.1').map(({ lladdr }) => lladdr);
    await eventually(() => expect(neighbours()).toContain(mac));
    await kube.annotate(two.name, { 'backend-v6-data': null, 'public-ipv6': null });
    await eventually(() => {
      expect(routesOf(one)).toContain('10.42.2.0/24');
      expect(routesOf(one)).not.toContain('fd42:0:0:2::/64');
    });
    two.start();
    await two.agent.ready();
  });

  test('an address of the node decides over the interface, as --public-ip does', async () => {
    const [one] = nodes();
    one.run('ip', 'address', 'add', '192.168.77.101/24', 'dev', 'eth0');
    await kube.annotate(one.name, { 'node-public-ip': '192.168.77.101' });
    await eventually(async () =>
      expect(await kube.annotations(one.name)).toMatchObject({ 'public-ip': '192.168.77.101' }),
    );
    await kube.annotate(one.name, { 'node-public-ip': null });
    await eventually(async () =>
      expect(await kube.annotations(one.name)).toMatchObject({ 'public-ip': '192.168.77.1' }),
    );
    one.run('ip', 'address', 'del', '192.168.77.101/24', 'dev', 'eth0');
  });
});

describe('Nodes', () => {
  test('without flannel, with junk or with what is others do no harm, and are shown', async () => {
    const [one, two] = nodes();
    const lease = (name: string, podCIDRs: string[], annotations: Record<string, string>) =>
      kube.cluster.createNode(name, {
        podCIDRs,
        annotations: Object.fromEntries(
          Object.entries({ 'kube-subnet-manager': 'true', 'backend-type': 'vxlan', ...annotations }).map(
            ([key, value]) => [`${PREFIX}${key}`, value],
          ),
        ),
      });
    const data = (mac: string) => ({ 'backend-data': `{"VNI":1,"VtepMAC":"${mac}"}` });
    await kube.cluster.createNode('bare', { podCIDRs: ['10.42.50.0/24'] });
    await lease('broken', ['10.42.51.0/24'], { 'backend-data': '{"VNI":', 'public-ip': '192.168.77.51' });
    await lease('elsewhere', ['10.99.0.0/24'], {
      ...data('02:00:00:00:00:52'),
      'public-ip': '192.168.77.52',
    });
    await lease('later', ['10.42.2.0/24'], { ...data('02:00:00:00:00:53'), 'public-ip': '192.168.77.53' });
    await lease('good', ['10.42.54.0/24'], { ...data('02:00:00:00:00:54'), 'public-ip': '192.168.77.54' });
    await eventually(() => expect(routesOf(one)).toContain('10.42.54.0/24'));
    const status = await one.agent.status();
    expect(status?.refused.map(({ node }) => node).sort()).toEqual(['broken', 'elsewhere', 'later']);
    expect(routesOf(one)).not.toContain('10.42.51.0/24');
    const [{ gateway } = {}] = one.ip('-4', 'route', 'show', '10.42.2.0/24');
    expect(gateway).toBe('10.42.2.0');
    // The younger is refused by the node that it claims from, too, which stays ready.
    expect((await two.agent.get('/readyz'))?.status).toBe(200);
    for (const name of ['bare', 'broken', 'elsewhere', 'later', 'good']) await kube.deleteNode(name);
    await eventually(() => expect(routesOf(one)).not.toContain('10.42.54.0/24'));
  });

  test('that are older have the subnet: the younger says so and goes on', async () => {
    const [one, , three] = nodes();
    // Node 3 is made again with the subnet of node 1: now it is the younger.
    await kube.deleteNode(three.name);
    await kube.createNode(three, ['10.42.1.0/24', 'fd42:0:0:1::/64']);
    await eventually(async () => {
      const ready = await three.agent.get('/readyz');
      expect(ready?.text).toContain('lease-contested');
    });
    expect((await one.agent.get('/readyz'))?.status).toBe(200);
    await kube.deleteNode(three.name);
    await kube.createNode(three, ['10.42.3.0/24', 'fd42:0:0:3::/64']);
    await three.agent.ready();
    await eventually(() => expect(routesOf(one)).toContain('10.42.3.0/24'));
  });

  test('that are deleted and made again with another subnet are followed', async () => {
    const [one, , three] = nodes();
    await kube.deleteNode(three.name);
    await eventually(async () => expect((await three.agent.get('/readyz'))?.text).toContain('node-missing'));
    await eventually(() => expect(routesOf(one)).not.toContain('10.42.3.0/24'));
    await kube.createNode(three, ['10.42.33.0/24', 'fd42:0:0:33::/64']);
    await eventually(() => expect(routesOf(one)).toContain('10.42.33.0/24'));
    await three.agent.ready();
    expect(three.run('ip', '-4', 'address', 'show', 'flannel.1')).toContain('10.42.33.0/32');
  });
});
