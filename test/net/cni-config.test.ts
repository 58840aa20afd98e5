/** What a configuration asks for, in the kernel and in the result; two networks of one container; takeover. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { callPlugin, pathOf, REFERENCE } from './cni-plugin.ts';
import { CniStage, DELEGATE } from './cni-stage.ts';
import { run, witnessRecords } from './witness.ts';

let stage: CniStage;

beforeEach(() => {
  stage = new CniStage();
});

afterEach(() => stage[Symbol.dispose]());

test('hairpinMode, promiscMode, mtu, isGateway and bridge are carried out, or not', () => {
  const { node } = stage;
  const hairpin = () =>
    witnessRecords(run(node, ['ip', '-d', '-j', 'link', 'show', 'type', 'veth'])).map(({ linkinfo }) =>
      JSON.stringify(linkinfo).includes('"hairpin":true'),
    );
  const flags = (bridge: string) => run(node, ['ip', '-j', 'link', 'show', bridge]);
  expect(stage.call('ADD', pathOf(stage.newPod())).status).toBe(0);
  expect(hairpin()).toEqual([true]);
  expect(flags('cni0')).not.toContain('PROMISC');
  const plain = stage.config({ bridge: 'br-plain', promiscMode: true, mtu: 1300, isGateway: false });
  const pod = stage.newPod();
  expect(stage.call('ADD', pathOf(pod), { id: 'pod-2', conf: plain }).status).toBe(0);
  expect(hairpin().sort()).toEqual([false, true]);
  expect(flags('br-plain')).toContain('PROMISC');
  expect(flags('br-plain')).toContain('"mtu":1300');
  expect(run(pod, ['ip', '-j', 'link', 'show', 'eth0'])).toContain('"mtu":1300');
  // No gateway: the bridge has no address, and there is no default route.
  expect(run(node, ['ip', '-br', 'address', 'show', 'br-plain'])).not.toContain('10.42.1.1');
  expect(run(pod, ['ip', 'route'])).not.toContain('default');
});

test('dns, routes and runtimeConfig of the configuration come through', () => {
  const dns = { nameservers: ['10.43.0.10'], search: ['cluster.local'] };
  const ipam = {
    dataDir: stage.books,
    routes: [{ dst: '192.0.2.0/24', gw: '10.42.1.9' }, { dst: '10.43.0.0/16' }],
  };
  const conf = stage.config({ ...DELEGATE, dns }, { ipam, runtimeConfig: { bandwidth: { ingressRate: 1 } } });
  const pod = stage.newPod();
  expect(stage.call('ADD', pathOf(pod), { conf })).toMatchObject({
    status: 0,
    told: { dns, routes: expect.arrayContaining([{ dst: '192.0.2.0/24', gw: '10.42.1.9' }]) },
  });
  const routes = run(pod, ['ip', 'route']);
  expect(routes).toContain('192.0.2.0/24 via 10.42.1.9 dev eth0');
  expect(routes).toContain('10.43.0.0/16 via 10.42.1.1 dev eth0');
  expect(stage.call('CHECK', pathOf(pod), { conf }).status).toBe(0);
});

test('one container may have interfaces of two networks, and loses them one by one', () => {
  const pod = stage.newPod();
  const second = stage.config({ ...DELEGATE, isDefaultGateway: false, bridge: 'cni1' }, { name: 'second' });
  stage.writeSubnets(SECOND_SUBNET);
  const net1 = { conf: second, variables: { CNI_IFNAME: 'net1' } };
  expect(stage.call('ADD', pathOf(pod), net1).status).toBe(0);
  stage.writeSubnets(SECOND_SUBNET.replaceAll('10.99.', '10.42.'));
  expect(stage.call('ADD', pathOf(pod)).status).toBe(0);
  expect(stage.state().sort()).toEqual(['pod-1:eth0', 'pod-1:net1']);
  expect(stage.call('CHECK', pathOf(pod)).status).toBe(0);
  expect(stage.call('CHECK', pathOf(pod), net1).status).toBe(0);
  expect(stage.call('DEL', pathOf(pod)).status).toBe(0);
  expect([stage.given(), stage.given('second')]).toEqual([[], ['10.99.1.2']]);
  expect(stage.call('CHECK', pathOf(pod), net1).status).toBe(0);
  expect(stage.call('DEL', pathOf(pod), net1).status).toBe(0);
  expect([stage.links(stage.node, 'veth'), stage.given('second'), stage.state()]).toEqual([[], [], []]);
});

const SECOND_SUBNET =
  'FLANNEL_NETWORK=10.99.0.0/16\nFLANNEL_SUBNET=10.99.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';

test("what flannel remembers of a container is taken for its network's interface only", () => {
  const pod = stage.newPod();
  const ipam = {
    type: 'host-local',
    dataDir: stage.books,
    ranges: [[{ subnet: '10.42.1.0/24' }]],
    routes: [{ dst: '10.42.0.0/16' }],
  };
  const saved = {
    cniVersion: '1.0.0',
    name: 'cbr0',
    type: 'bridge',
    mtu: 1450,
    ipMasq: false,
    isGateway: true,
    ...DELEGATE,
    ipam,
  };
  const program = join(REFERENCE, 'bridge');
  inNetns(stage.node, () => callPlugin({ program, verb: 'ADD', netns: pathOf(pod), config: saved }));
  mkdirSync(join(stage.path, 'state'));
  writeFileSync(join(stage.path, 'state', 'pod-1'), JSON.stringify(saved));
  expect(stage.call('CHECK', pathOf(pod))).toEqual({ status: 0, told: undefined });
  // Of another network it says nothing.
  const other = stage.config(DELEGATE, { name: 'other' });
  expect(stage.call('CHECK', pathOf(pod), { conf: other })).toMatchObject({ told: { code: 3 } });
  expect(stage.call('DEL', pathOf(pod), { conf: other }).status).toBe(0);
  expect(stage.state()).toEqual(['pod-1']);
  expect(stage.given()).toEqual(['10.42.1.2']);
  // What is gone from the pod is told of it as well.
  run(pod, ['ip', 'route', 'del', 'default']);
  expect(stage.call('CHECK', pathOf(pod))).toMatchObject({ told: { msg: 'the route to 0.0.0.0/0 is gone' } });
  expect(stage.call('ADD', pathOf(stage.newPod()), { id: 'pod-2' }).status).toBe(0);
  expect(stage.given()).toEqual(['10.42.1.2', '10.42.1.3', 'fd00:42:1::2']);
  expect(stage.call('DEL', pathOf(pod)).status).toBe(0);
  expect(stage.given()).toEqual(['10.42.1.3', 'fd00:42:1::2']);
  expect([stage.state(), stage.links(stage.node, 'veth').length]).toEqual([['pod-2:eth0'], 1]);
});
