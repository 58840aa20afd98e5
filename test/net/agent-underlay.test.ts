import { expect, test } from 'bun:test';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { writeSysctls } from '../../src/cli/demo/topology.ts';
import { parseMac } from '../../src/model/ip.ts';
import { hostGwOverlay, readSubnetEnv, subnetEnvText, vxlanOverlay } from './agent-expected.ts';
import { linkIndex, type Overlay, readOverlay } from './agent-overlay.ts';
import { leaseOf, partOf, readLeases } from './agent-store.ts';
import {
  eventually,
  expectOverlay,
  expectPodsTalk,
  expectTrouble,
  JSON_LOG,
  readLog,
  reasonsOf,
  TIMEOUT_MS,
} from './agent-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';
import { run } from './witness.ts';

const BACKENDS = [
  { type: 'vxlan', expected: (lab: Lab, node: LabNode): Overlay => vxlanOverlay(lab, node) },
  { type: 'host-gw', expected: hostGwOverlay },
] as const;

interface Scene {
  readonly lab: Lab;
  readonly pods: readonly Pod[];
}

async function start(type: string): Promise<Scene & AsyncDisposable> {
  const lab = await createLab({ nodes: 3, backend: { Type: type } });
  try {
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    await expectPodsTalk(pods);
    return { lab, pods, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

async function expectWhole(
  { lab, pods }: Scene,
  expected: (lab: Lab, node: LabNode) => Overlay,
): Promise<void> {
  for (const node of lab.nodes) {
    await expectOverlay(node, () => expected(lab, node));
    await node.agent.ready();
  }
  await expectPodsTalk(pods);
}

test.each(BACKENDS)(
  '$type comes back when the underlay link goes down and up',
  async ({ type, expected }) => {
    await using scene = await start(type);
    const node = scene.lab.node(1);
    node.run('ip', 'link', 'set', 'eth0', 'down');
    // Long enough for an agent to try in vain.
    await Bun.sleep(300);
    node.run('ip', 'link', 'set', 'eth0', 'up');
    await expectWhole(scene, expected);
  },
  TIMEOUT_MS,
);

test.each(BACKENDS)(
  '$type comes back when the underlay link is deleted and made again, and says meanwhile what is missing',
  async ({ type, expected }) => {
    await using scene = await start(type);
    const { lab } = scene;
    const node = lab.node(1);
    node.run('ip', 'link', 'delete', 'eth0');
    await eventually(async () => {
      const { status, codes } = await reasonsOf(node);
      expect({ status, codes }).toEqual({
        status: 503,
        codes: expect.arrayContaining(['interface-missing']),
      });
    });
    const mac = parseMac('02:77:00:00:00:01');
    node.space.rtnl.addVeth({ name: 'eth0', mac }, { name: node.name, netns: lab.bridge });
    run(lab.bridge, ['ip', 'link', 'set', node.name, 'master', 'br0', 'up']);
    writeSysctls(node.space.netns, { 'net/ipv6/conf/eth0/accept_dad': 0 });
    node.run('ip', 'link', 'set', 'eth0', 'up');
    node.run('ip', 'address', 'add', '192.168.77.1/24', 'dev', 'eth0');
    node.run('ip', 'address', 'add', 'fd77::1/64', 'dev', 'eth0', 'nodad');
    await expectWhole(scene, expected);
    const told = readLog(node.agent).filter(({ code }) => code === 'interface-missing');
    expect(told.length).toBe(1);
  },
  TIMEOUT_MS,
);

test.each(BACKENDS)(
  '$type: a new underlay address is leased, and peers follow',
  async ({ type, expected }) => {
    await using scene = await start(type);
    const node = scene.lab.node(1);
    const index = type === 'vxlan' ? linkIndex(node, 'flannel.1') : 0;
    const subnets = [...leaseOf(scene.lab, node).parts.values()].map(({ subnet }) => subnet);
    node.run('ip', 'address', 'delete', '192.168.77.1/24', 'dev', 'eth0');
    node.run('ip', 'address', 'add', '192.168.77.101/24', 'dev', 'eth0');
    node.run('ip', 'address', 'delete', 'fd77::1/64', 'dev', 'eth0');
    node.run('ip', 'address', 'add', 'fd77::101/64', 'dev', 'eth0', 'nodad');
    await eventually(() => {
      const lease = leaseOf(scene.lab, node);
      expect(partOf(lease, 4).publicIp).toBe('192.168.77.101');
      expect(partOf(lease, 6).publicIp).toBe('fd77::101');
    });
    await expectWhole(scene, expected);
    expect([...leaseOf(scene.lab, node).parts.values()].map(({ subnet }) => subnet)).toEqual(subnets);
    if (type === 'vxlan') expect(linkIndex(node, 'flannel.1')).toBe(index);
  },
  TIMEOUT_MS,
);

test(
  'an address that goes away stays in use until there is another; further ones change nothing',
  async () => {
    await using scene = await start('vxlan');
    const { lab, pods } = scene;
    const node = lab.node(1);
    const [leases, overlay] = [readLeases(lab), readOverlay(node)];
    const expectSame = async () => {
      await Bun.sleep(200);
      expect(readLeases(lab)).toEqual(leases);
      expect(readOverlay(node)).toEqual(overlay);
    };
    // The kernel lists the newest IPv6 address first.
    node.run('ip', 'address', 'add', 'fd77::aaaa/64', 'dev', 'eth0', 'nodad');
    node.run('ip', 'address', 'add', '10.1.1.1/24', 'dev', 'eth0');
    await expectSame();
    await node.agent.ready();
    node.run('ip', 'address', 'delete', 'fd77::aaaa/64', 'dev', 'eth0');
    node.run('ip', 'address', 'delete', '10.1.1.1/24', 'dev', 'eth0');
    for (const [address, family] of [
      ['192.168.77.1/24', 'IPv4'],
      ['fd77::1/64', 'IPv6'],
    ] as const) {
      node.run('ip', 'address', 'delete', address, 'dev', 'eth0');
      await expectTrouble(node, 'interface-no-address', `eth0 has lost its ${family} address`);
      await expectSame();
      node.run('ip', 'address', 'add', address, 'dev', 'eth0');
      await node.agent.ready();
    }
    await expectSame();
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test.each([
  { type: 'vxlan', before: 1430, after: 1330, device: { mtu: 1350, mtuV6: 1330 } },
  { type: 'host-gw', before: 1500, after: 1400, device: {} },
])(
  '$type: a new underlay MTU is followed by devices and subnet.env',
  async ({ type, before, after, device }) => {
    await using scene = await start(type);
    const { lab } = scene;
    const node = lab.node(1);
    const text = (mtu: number) => subnetEnvText(leaseOf(lab, node), mtu);
    const overlay = (options: typeof device) =>
      type === 'vxlan' ? vxlanOverlay(lab, node, options) : hostGwOverlay(lab, node);
    const index = type === 'vxlan' ? linkIndex(node, 'flannel.1') : 0;
    expect(readSubnetEnv(node)).toBe(text(before));
    node.run('ip', 'link', 'set', 'eth0', 'mtu', '1400');
    await eventually(() => expect(readSubnetEnv(node)).toBe(text(after)));
    expect(readOverlay(node)).toEqual(overlay(device));
    node.run('ip', 'link', 'set', 'eth0', 'mtu', '1500');
    await eventually(() => expect(readSubnetEnv(node)).toBe(text(before)));
    expect(readOverlay(node)).toEqual(overlay({}));
    if (type === 'vxlan') expect(linkIndex(node, 'flannel.1')).toBe(index);
    await expectPodsTalk(scene.pods);
  },
  TIMEOUT_MS,
);
