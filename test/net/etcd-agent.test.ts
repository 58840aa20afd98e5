/** Whole agents whose leases are in a real etcd. @module */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOverlay } from './agent-overlay.ts';
import {
  eventually,
  expectPodsTalk,
  expectTrouble,
  JSON_LOG,
  readLog,
  repairsOf,
  TIMEOUT_MS,
} from './agent-support.ts';
import { CONFIG_KEY, createEtcdLab, SUBNETS } from './etcd-lab.ts';
import type { LabNode } from './lab.ts';

const CONFIG = '{"Network":"10.42.0.0/16","Backend":{"Type":"vxlan"}}';
const DUAL =
  '{"Network":"10.42.0.0/16","EnableIPv6":true,"IPv6Network":"fd42::/48","Backend":{"Type":"vxlan"}}';

async function expectReady(nodes: readonly LabNode[]): Promise<void> {
  await eventually(async () => {
    for (const node of nodes) expect((await node.agent.get('/readyz'))?.status).toBe(200);
  });
}

test(
  "the network's configuration is waited for, and taken as soon as it is right",
  async () => {
    await using world = await createEtcdLab({ nodes: 2, families: [4] });
    const { lab, etcd } = world;
    for (const node of lab.nodes) node.start(JSON_LOG);
    for (const node of lab.nodes) await expectTrouble(node, 'network-missing', `no key '${CONFIG_KEY}'`);
    await etcd.put(CONFIG_KEY, CONFIG.replace('vxlan', 'vxlam'));
    for (const node of lab.nodes) await expectTrouble(node, 'network-invalid', "'vxlam'");
    expect(
      lab
        .node(1)
        .ip('link')
        .map(({ ifname }) => ifname),
    ).not.toContain('flannel.1');
    await etcd.put(CONFIG_KEY, CONFIG);
    await Promise.all(lab.nodes.map(({ agent }) => agent.ready()));
    await lab.settled();
    await expectPodsTalk(await lab.addPods());
  },
  TIMEOUT_MS,
);

test(
  'dual stack: pods talk, and every key is as flanneld writes it',
  async () => {
    await using world = await createEtcdLab({ nodes: 3 });
    const { lab, etcd } = world;
    await etcd.put(CONFIG_KEY, DUAL);
    await lab.startAll(JSON_LOG);
    await expectPodsTalk(await lab.addPods());
    const keys = await etcd.keys(SUBNETS);
    expect(keys.length).toBe(3);
    for (const node of lab.nodes) {
      const [{ address } = {}] = node.ip('link', 'show', 'dev', 'flannel.1');
      const key = keys.find(({ value }) => value.includes(String(address)));
      expect(key?.key).toMatch(/^\/coreos\.com\/network\/subnets\/10\.42\.\d+\.0-24&fd42:0:0:[\da-f]+::-64$/);
      expect(key?.value).toMatch(
        /^\{"PublicIP":"192\.168\.77\.\d","PublicIPv6":"fd77::\d","BackendType":"vxlan","BackendData":\{"VNI":1,"VtepMAC":"[\da-f:]{17}"\},"BackendV6Data":\{"VNI":1,"VtepMAC":"[\da-f:]{17}"\}\}$/,
      );
    }
  },
  TIMEOUT_MS,
);

test(
  'losing etcd changes nothing in the data plane; what happened meanwhile is made up for',
  async () => {
    await using world = await createEtcdLab({ nodes: 3, families: [4] });
    const { lab, etcd } = world;
    await etcd.put(CONFIG_KEY, CONFIG);
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    await expectPodsTalk(pods);
    const before = lab.nodes.map(readOverlay);
    const untouched = readOverlay(lab.node(1));
    const keys = await etcd.keys(SUBNETS);
    await etcd.stop('SIGKILL');
    for (const node of lab.nodes) await expectTrouble(node, 'store-unavailable', etcd.endpoint);
    await expectPodsTalk(pods);
    expect(lab.nodes.map(readOverlay)).toEqual(before);
    // What others destroy is put right without it.
    lab.node(1).run('ip', 'route', 'flush', 'dev', 'flannel.1');
    await eventually(() => expect(readOverlay(lab.node(1))).toEqual(untouched));
    expect(await repairsOf(lab.node(1))).toBeGreaterThan(0);
    await etcd.start();
    await expectReady(lab.nodes);
    expect(await etcd.keys(SUBNETS)).toEqual(keys);
    expect(lab.nodes.map(readOverlay)).toEqual(before);
  },
  TIMEOUT_MS,
);

test(
  'a key that is deleted is taken again, with the same subnet; a restart keeps everything',
  async () => {
    await using world = await createEtcdLab({ nodes: 2, families: [4] });
    const { lab, etcd } = world;
    await etcd.put(CONFIG_KEY, CONFIG);
    await lab.startAll(JSON_LOG);
    const [node] = lab.nodes;
    if (node === undefined) throw new Error('No node');
    const env = () => readFileSync(join(node.agent.directory, 'subnet.env'), 'utf8');
    const [before, names] = [env(), (await etcd.keys(SUBNETS)).map(({ key }) => key)];
    for (const key of names) await etcd.delete(key);
    await eventually(async () => expect((await etcd.keys(SUBNETS)).map(({ key }) => key)).toEqual(names));
    await eventually(() =>
      expect(readLog(node.agent).map(({ msg }) => msg)).toContain('Own lease lost, leasing again'),
    );
    await lab.settled();
    const values = (await etcd.keys(SUBNETS)).map(({ value, lease }) => [value, lease]);
    await node.stop();
    await node.start(JSON_LOG).ready();
    await lab.settled();
    expect((await etcd.keys(SUBNETS)).map(({ value, lease }) => [value, lease])).toEqual(values);
    expect(env()).toBe(before);
  },
  TIMEOUT_MS,
);

test(
  'agents that start before etcd come up when it does',
  async () => {
    await using world = await createEtcdLab({ nodes: 2, families: [4] });
    const { lab, etcd } = world;
    await etcd.put(CONFIG_KEY, CONFIG);
    await etcd.stop();
    for (const node of lab.nodes) node.start(JSON_LOG);
    for (const node of lab.nodes) await expectTrouble(node, 'store-unavailable', etcd.endpoint);
    await etcd.start();
    await Promise.all(lab.nodes.map(({ agent }) => agent.ready()));
    await lab.settled();
  },
  TIMEOUT_MS,
);
