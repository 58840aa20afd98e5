/** The plugin `flannel` on a real kernel: beside the reference's `bridge` and `host-local`, and in trouble. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { callPlugin, pathOf, REFERENCE } from './cni-plugin.ts';
import { CniStage, DELEGATE } from './cni-stage.ts';
import { run } from './witness.ts';

let stage: CniStage;

beforeEach(() => {
  stage = new CniStage();
});

afterEach(() => stage[Symbol.dispose]());

/** The same configuration as the reference's bridge takes it. */
function referenceConfig(): object {
  return {
    cniVersion: '1.0.0',
    name: 'cbr0',
    type: 'bridge',
    mtu: 1450,
    ipMasq: false,
    isGateway: true,
    ...DELEGATE,
    ipam: {
      type: 'host-local',
      dataDir: join(stage.path, 'reference'),
      ranges: [[{ subnet: '10.42.1.0/24' }], [{ subnet: 'fd00:42:1::/64' }]],
      routes: [{ dst: '10.42.0.0/16' }, { dst: 'fd00:42::/48' }],
    },
  };
}

test('CHECK, DEL twice, and DEL with the namespace gone leave nothing', () => {
  const pod = stage.newPod();
  expect(stage.call('ADD', pathOf(pod)).status).toBe(0);
  expect(stage.call('CHECK', pathOf(pod))).toEqual({ status: 0, told: undefined });
  run(pod, ['ip', 'address', 'del', '10.42.1.2/24', 'dev', 'eth0']);
  expect(stage.call('CHECK', pathOf(pod))).toMatchObject({
    status: 1,
    told: { msg: expect.stringContaining('10.42.1.2') },
  });
  for (const _ of [1, 2]) expect(stage.call('DEL', pathOf(pod))).toEqual({ status: 0, told: undefined });
  expect(stage.call('ADD', pathOf(pod)).status).toBe(0);
  expect(stage.call('DEL', '/run/netns/flannelette-never')).toEqual({ status: 0, told: undefined });
  expect([stage.links(stage.node, 'veth'), stage.given(), stage.state()]).toEqual([[], [], []]);
});

/** Starts a plugin for the pod of a number, without waiting for its end. */
function start(on: CniStage, { verb, i, netns }: { verb: string; i: number; netns: string }) {
  return inNetns(on.node, () =>
    Bun.spawn([join(on.path, 'flannelette')], {
      stdin: Buffer.from(JSON.stringify(on.config())),
      stdout: 'pipe',
      env: {
        CNI_COMMAND: verb,
        CNI_CONTAINERID: `pod-${i}`,
        CNI_NETNS: netns,
        CNI_IFNAME: 'eth0',
        CNI_PATH: REFERENCE,
      },
    }),
  );
}

test('the first pods of a node may come at once', async () => {
  for (let round = 0; round < 10; round++) {
    using fresh = new CniStage();
    const pods = Array.from({ length: 4 }, () => fresh.newPod());
    const running = pods.map((pod, i) => start(fresh, { verb: 'ADD', i, netns: pathOf(pod) }));
    const told = await Promise.all(running.map(({ stdout }) => stdout.text()));
    expect(told.filter((text) => !text.includes('"ips"'))).toEqual([]);
  }
});

test('100 pods at once have 100 addresses, also where plugins are killed; DEL of all leaves nothing', async () => {
  const namespaces = Array.from({ length: 100 }, () => stage.newPod());
  const running = namespaces.map((pod, i) => start(stage, { verb: 'ADD', i, netns: pathOf(pod) }));
  for (let i = 0; i < 10; i++) {
    await Bun.sleep(20);
    running[i * 5]?.kill('SIGKILL');
  }
  const statuses = await Promise.all(running.map((process) => process.exited));
  const addresses = namespaces.flatMap((pod, i) => {
    if (statuses[i] !== 0) return [];
    return run(pod, ['ip', '-br', '-4', 'address', 'show', 'eth0']).match(/10[.\d]+/)?.[0] ?? [];
  });
  expect(addresses.length).toBeGreaterThanOrEqual(90);
  expect(new Set(addresses).size).toBe(addresses.length);
  const ends = namespaces.map((pod, i) => start(stage, { verb: 'DEL', i, netns: pathOf(pod) }).exited);
  expect(new Set(await Promise.all(ends))).toEqual(new Set([0]));
  expect([stage.links(stage.node, 'veth'), stage.given()]).toEqual([[], []]);
});

test('what flannel and host-local have made is taken over', () => {
  const pod = stage.newPod();
  const conf = referenceConfig();
  const ipam = { type: 'host-local', dataDir: stage.books, ranges: [[{ subnet: '10.42.1.0/24' }]] };
  const saved = { ...conf, ipam };
  const program = join(REFERENCE, 'bridge');
  inNetns(stage.node, () => callPlugin({ program, verb: 'ADD', netns: pathOf(pod), config: saved }));
  mkdirSync(join(stage.path, 'state'));
  writeFileSync(join(stage.path, 'state', 'pod-1'), JSON.stringify(saved));
  const next = stage.call('ADD', pathOf(stage.newPod()), { id: 'pod-2' });
  expect(JSON.stringify(next.told)).toContain('10.42.1.3/24');
  expect(stage.call('DEL', pathOf(pod)).status).toBe(0);
  expect(stage.given()).toEqual(['10.42.1.3', 'fd00:42:1::2']);
  expect(stage.links(stage.node, 'veth').length).toBe(1);
});

test('GC takes away what no container of the list has', () => {
  const [one, two] = [stage.newPod(), stage.newPod()];
  stage.call('ADD', pathOf(one));
  stage.call('ADD', pathOf(two), { id: 'pod-2' });
  const valid = {
    'cni.dev/valid-attachments': [{ containerID: 'pod-2', ifname: 'eth0' }],
    cniVersion: '1.1.0',
  };
  expect(stage.call('GC', '', { conf: stage.config(DELEGATE, { cniVersion: '1.1.0' }) })).toMatchObject({
    told: { code: 7 },
  });
  expect(stage.call('GC', '', { conf: stage.config(DELEGATE, valid) })).toEqual({
    status: 0,
    told: undefined,
  });
  expect(stage.given()).toEqual(['10.42.1.3', 'fd00:42:1::3']);
  expect(stage.links(stage.node, 'veth').length).toBe(1);
  // As Go writes a list that nothing was put into.
  const none = { ...valid, 'cni.dev/valid-attachments': null };
  expect(stage.call('GC', '', { conf: stage.config(DELEGATE, none) }).status).toBe(0);
  expect(stage.given()).toEqual([]);
});

test('without subnet.env a pod is to be tried again later, and STATUS says that none can come', () => {
  const conf = stage.config(DELEGATE, { subnetFile: '/nowhere/subnet.env', cniVersion: '1.1.0' });
  expect(stage.call('ADD', pathOf(stage.newPod()), { conf })).toMatchObject({
    status: 1,
    told: { code: 11 },
  });
  expect(stage.call('STATUS', '', { conf })).toMatchObject({ status: 1, told: { code: 50 } });
  expect(stage.call('STATUS', '', { conf: stage.config(DELEGATE, { cniVersion: '1.1.0' }) }).status).toBe(0);
});

test('another delegate is executed, and its errors are passed on', () => {
  const conf = stage.config({ type: 'ptp' });
  const pod = stage.newPod();
  expect(stage.call('ADD', pathOf(pod), { conf })).toMatchObject({
    status: 0,
    told: { ips: [{ address: '10.42.1.2/24' }, {}] },
  });
  expect(stage.call('DEL', pathOf(pod), { conf }).status).toBe(0);
  expect(stage.given()).toEqual([]);
  const absent = stage.config({ type: 'not-there' });
  expect(stage.call('ADD', pathOf(pod), { conf: absent })).toMatchObject({
    told: { msg: expect.stringContaining('not-there') },
  });
  expect(stage.call('DEL', pathOf(pod), { conf: absent })).toEqual({ status: 0, told: undefined });
  for (const delegate of [{ name: 'x' }, { ipam: {} }, { type: 'flannel' }, { type: 7 }]) {
    expect(stage.call('ADD', pathOf(pod), { conf: stage.config(delegate) })).toMatchObject({
      status: 1,
      told: { code: 7 },
    });
  }
});

test('STATUS and GC, too, are for the delegate that is executed', () => {
  const conf = stage.config({ type: 'ptp' });
  const pod = stage.newPod();
  expect(stage.call('ADD', pathOf(pod), { conf }).status).toBe(0);
  const newest = stage.config({ type: 'not-there' }, { cniVersion: '1.1.0' });
  expect(stage.call('STATUS', '', { conf: newest })).toMatchObject({
    told: { msg: expect.stringContaining('not-there') },
  });
  const gc = { ...stage.config({}, { cniVersion: '1.1.0' }), 'cni.dev/valid-attachments': [] };
  expect(stage.call('GC', '', { conf: gc })).toEqual({ status: 0, told: undefined });
  expect([stage.given(), stage.state()]).toEqual([[], []]);
});

test('GC goes on where it cannot take one away, and says so', () => {
  expect(stage.call('ADD', pathOf(stage.newPod())).status).toBe(0);
  const lost = { type: 'lost', name: 'cbr0', cniVersion: '1.0.0' };
  writeFileSync(join(stage.path, 'state', 'pod-0:eth0'), JSON.stringify(lost));
  writeFileSync(join(stage.path, 'state', 'pod-2:eth0'), JSON.stringify(lost));
  const conf = { ...stage.config({}, { cniVersion: '1.1.0' }), 'cni.dev/valid-attachments': [] };
  expect(stage.call('GC', '', { conf })).toMatchObject({
    told: { msg: expect.stringContaining('"lost"') },
  });
  expect([stage.given(), stage.links(stage.node, 'veth')]).toEqual([[], []]);
  expect(stage.state().sort()).toEqual(['pod-0:eth0', 'pod-2:eth0']);
});
