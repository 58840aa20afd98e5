import { expect, test } from 'bun:test';
import {
  type DeviceOptions,
  deviceName,
  hostGwOverlay,
  readSubnetEnv,
  subnetEnvText,
  vxlanOverlay,
} from './agent-expected.ts';
import { linkIndex, readOverlay } from './agent-overlay.ts';
import { leaseOf } from './agent-store.ts';
import { changeNetConf, expectOverlay, expectPodsTalk, restartAll, TIMEOUT_MS } from './agent-support.ts';
import { createLab, type Lab } from './lab.ts';

/** Every key away from its default, as flannel takes them: by name in any case. */
const ALL_KEYS = {
  type: 'VXLAN',
  vni: 4096,
  PORT: 4789,
  mtu: 1400,
  gbp: true,
  learning: true,
  txChecksumOffload: true,
};
const ALL_CHANGED: DeviceOptions = {
  vni: 4096,
  port: 4789,
  mtu: 1350,
  mtuV6: 1350,
  gbp: true,
  learning: true,
  txChecksum: 'on',
};

/** An agent that is started again is ready before its peers have told it what is new of them. */
async function expectOverlays(lab: Lab, options: DeviceOptions): Promise<void> {
  for (const node of lab.nodes) {
    await expectOverlay(node, () => vxlanOverlay(lab, node, options));
  }
}

/** The indexes of both devices of the first node. */
function indexes(lab: Lab, options: DeviceOptions = {}): number[] {
  return [4, 6].map((family) => linkIndex(lab.node(1), deviceName(family === 4 ? 4 : 6, options)));
}

test(
  'every key of the vxlan backend is seen in the device',
  async () => {
    await using lab = await createLab({ nodes: 2, backend: ALL_KEYS });
    await lab.startAll();
    await expectOverlays(lab, ALL_CHANGED);
    for (const node of lab.nodes) expect(readSubnetEnv(node)).toBe(subnetEnvText(leaseOf(lab, node), 1350));
    await expectPodsTalk(await lab.addPods());
  },
  TIMEOUT_MS,
);

test.each([
  { what: 'MTU 1400', backend: { MTU: 1400 }, device: { mtu: 1350, mtuV6: 1350 } },
  { what: 'MTU 9000', backend: { MTU: 9000 }, device: {} },
  { what: 'Learning', backend: { Learning: true }, device: { learning: true } },
  { what: 'TxChecksumOffload', backend: { TxChecksumOffload: true }, device: { txChecksum: 'on' } as const },
])(
  'vxlan with $what is the same device as before, changed in place, and back',
  async ({ backend, device }) => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const before = indexes(lab);
    await restartAll(lab, () => changeNetConf(lab, { Backend: { Type: 'vxlan', ...backend } }));
    await expectOverlays(lab, device);
    await restartAll(lab, () => changeNetConf(lab, { Backend: { Type: 'vxlan' } }));
    await expectOverlays(lab, {});
    expect(indexes(lab)).toEqual(before);
    await expectPodsTalk(await lab.addPods());
  },
  TIMEOUT_MS,
);

test.each([
  { what: 'VNI 7', backend: { VNI: 7 }, device: { vni: 7 } },
  { what: 'Port 4789', backend: { Port: 4789 }, device: { port: 4789 } },
  { what: 'GBP', backend: { GBP: true }, device: { gbp: true } },
])(
  'vxlan with $what is another device, and none is left over',
  async ({ backend, device }) => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const pods = await lab.addPods();
    const before = indexes(lab);
    await restartAll(lab, () => changeNetConf(lab, { Backend: { Type: 'vxlan', ...backend } }));
    await expectOverlays(lab, device);
    for (const index of indexes(lab, device)) expect(before).not.toContain(index);
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test(
  'another backend leaves nothing of the one before, and pods keep their subnets',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const pods = await lab.addPods();
    await restartAll(lab, () => changeNetConf(lab, { Backend: { Type: 'host-gw' } }));
    for (const node of lab.nodes) {
      await expectOverlay(node, () => hostGwOverlay(lab, node));
    }
    await expectPodsTalk(pods);
    await restartAll(lab, () => changeNetConf(lab, { Backend: { Type: 'vxlan' } }));
    await expectOverlays(lab, {});
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test(
  'a family that is switched off leaves nothing behind, and can come back',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    await restartAll(lab, () => changeNetConf(lab, { EnableIPv6: false }));
    await expectOverlays(lab, {});
    for (const node of lab.nodes) {
      expect(readOverlay(node).links.map(({ name }) => name)).toEqual(['flannel.1']);
      expect(readSubnetEnv(node)).toBe(subnetEnvText(leaseOf(lab, node), 1450));
    }
    await restartAll(lab, () => changeNetConf(lab, { EnableIPv6: true }));
    await expectOverlays(lab, {});
    await expectPodsTalk(await lab.addPods());
  },
  TIMEOUT_MS,
);
