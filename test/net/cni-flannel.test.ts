/** The plugin `flannel` on a real kernel: beside the reference's `bridge` and `host-local`, and in trouble. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { callPlugin, installPlugins, type PluginFolder, pathOf, REFERENCE } from './cni-plugin.ts';
import { run, type WitnessRecord, witnessRecords } from './witness.ts';

const SUBNET_ENV = `FLANNEL_NETWORK=10.42.0.0/16
FLANNEL_SUBNET=10.42.1.1/24
FLANNEL_IPV6_NETWORK=fd00:42::/48
FLANNEL_IPV6_SUBNET=fd00:42:1::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;
const DELEGATE = { hairpinMode: true, forceAddress: true, isDefaultGateway: true };

let folder: PluginFolder;
let node: Netns;
let pods: Netns[];

beforeEach(() => {
  folder = installPlugins(['flannel', 'flannelette']);
  node = createNetns();
  pods = [];
  writeFileSync(join(folder.path, 'subnet.env'), SUBNET_ENV);
});

afterEach(() => {
  for (const pod of pods) pod.close();
  node.close();
  folder[Symbol.dispose]();
});

function newPod(): Netns {
  const pod = createNetns();
  pods.push(pod);
  return pod;
}

function books(): string {
  return join(folder.path, 'books');
}

function config(delegate: object = DELEGATE, rest: object = {}): object {
  return {
    cniVersion: '1.0.0',
    name: 'cbr0',
    type: 'flannel',
    subnetFile: join(folder.path, 'subnet.env'),
    dataDir: join(folder.path, 'state'),
    ipam: { dataDir: books() },
    delegate,
    ...rest,
  };
}

function call(verb: string, netns: string, { id = 'pod-1', as = 'flannel', conf = config() } = {}) {
  const variables = { CNI_CONTAINERID: id };
  const program = join(folder.path, as);
  return inNetns(node, () => callPlugin({ program, verb, netns, config: conf, variables }));
}

/** The addresses that are written down as given. */
function given(): string[] {
  const path = join(books(), 'cbr0');
  return existsSync(path)
    ? readdirSync(path).filter((name) => /[.:]\d+$/.test(name) && !name.startsWith('last'))
    : [];
}

function links(netns: Netns, kind: string): WitnessRecord[] {
  return witnessRecords(run(netns, ['ip', '-j', 'link', 'show', 'type', kind]));
}

/** The state of a namespace, without what is random or counts time. */
function stateOf(netns: Netns): unknown {
  const text = [
    run(netns, ['ip', '-d', 'link']),
    run(netns, ['ip', '-br', 'address']),
    run(netns, ['ip', 'route']),
    run(netns, ['ip', '-6', 'route']),
    run(netns, ['bridge', '-d', 'link']),
    run(netns, ['cat', '/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding']),
  ].join('');
  return (
    text
      .replaceAll(/veth[0-9a-f]+/g, 'VETH')
      .replaceAll(/([0-9a-f]{1,2}:){5}[0-9a-f]{1,2}/g, 'MAC')
      .replaceAll(/fe80::[0-9a-f:]+\/64/g, 'LOCAL')
      .replaceAll(/_timer +[\d.]+/g, '_timer')
      .replaceAll(/ifb?index \d+|link-netnsid? \d+/g, '')
      // A queue of 0, which these devices do not use anyway; and the kernel tells of a started listener as it goes.
      .replaceAll(/ qlen 1000/g, '')
      .replaceAll(/topology_change(_detected)? \d/g, '')
      .replaceAll(/mcast_router \d/g, '')
      .split('\n')
      .map((line) => line.replaceAll(/\s+/g, ' ').trim())
      .sort()
  );
}

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
      dataDir: join(folder.path, 'reference'),
      ranges: [[{ subnet: '10.42.1.0/24' }], [{ subnet: 'fd00:42:1::/64' }]],
      routes: [{ dst: '10.42.0.0/16' }, { dst: 'fd00:42::/48' }],
    },
  };
}

test('ADD leaves what bridge and host-local leave, in the kernel, on disk and in the result', () => {
  using other = createNetns();
  const [mine, theirs] = [newPod(), newPod()];
  const ours = call('ADD', pathOf(mine));
  const program = join(REFERENCE, 'bridge');
  const reference = inNetns(other, () =>
    callPlugin({ program, verb: 'ADD', netns: pathOf(theirs), config: referenceConfig() }),
  );
  expect(reference.status).toBe(0);
  // Names of veths, MACs and the path of the namespace differ; ours follow from the container and from the address.
  const plain = (told: unknown) =>
    JSON.parse(
      JSON.stringify(told)
        .replaceAll(/veth[0-9a-f]+|([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'X')
        .replaceAll(/\/proc\/\d+\/fd\/\d+/g, 'NETNS'),
    );
  expect(plain(ours.told)).toEqual(plain(reference.told));
  expect(JSON.stringify(ours.told)).toContain('0a:58:0a:2a:01:02');
  expect(stateOf(mine)).toEqual(stateOf(theirs));
  expect(stateOf(node)).toEqual(stateOf(other));
  const show = (path: string) => run(node, ['sh', '-c', `cd ${path}/cbr0 && tail -n +1 [0-9f]* last*`]);
  expect(show(books())).toEqual(show(join(folder.path, 'reference')));
});

test('CHECK, DEL twice, and DEL with the namespace gone leave nothing', () => {
  const pod = newPod();
  expect(call('ADD', pathOf(pod)).status).toBe(0);
  expect(call('CHECK', pathOf(pod))).toEqual({ status: 0, told: undefined });
  run(pod, ['ip', 'address', 'del', '10.42.1.2/24', 'dev', 'eth0']);
  expect(call('CHECK', pathOf(pod))).toMatchObject({
    status: 1,
    told: { msg: expect.stringContaining('10.42.1.2') },
  });
  for (const _ of [1, 2]) expect(call('DEL', pathOf(pod))).toEqual({ status: 0, told: undefined });
  expect(call('ADD', pathOf(pod)).status).toBe(0);
  expect(call('DEL', '/run/netns/flannelette-never')).toEqual({ status: 0, told: undefined });
  expect([links(node, 'veth'), given(), readdirSync(join(folder.path, 'state'))]).toEqual([[], [], []]);
});

test('100 pods at once have 100 addresses, also where plugins are killed; DEL of all leaves nothing', async () => {
  const program = join(folder.path, 'flannelette');
  const start = (verb: string, i: number, netns: string) =>
    inNetns(node, () =>
      Bun.spawn([program], {
        stdin: Buffer.from(JSON.stringify(config())),
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
  const namespaces = Array.from({ length: 100 }, newPod);
  const running = namespaces.map((pod, i) => start('ADD', i, pathOf(pod)));
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
  const ends = namespaces.map((pod, i) => start('DEL', i, pathOf(pod)).exited);
  expect(new Set(await Promise.all(ends))).toEqual(new Set([0]));
  expect([links(node, 'veth'), given()]).toEqual([[], []]);
});

test('what flannel and host-local have made is taken over', () => {
  const pod = newPod();
  const conf = referenceConfig();
  const ipam = { type: 'host-local', dataDir: books(), ranges: [[{ subnet: '10.42.1.0/24' }]] };
  const saved = { ...conf, ipam };
  const program = join(REFERENCE, 'bridge');
  inNetns(node, () => callPlugin({ program, verb: 'ADD', netns: pathOf(pod), config: saved }));
  mkdirSync(join(folder.path, 'state'));
  writeFileSync(join(folder.path, 'state', 'pod-1'), JSON.stringify(saved));
  const next = call('ADD', pathOf(newPod()), { id: 'pod-2' });
  expect(JSON.stringify(next.told)).toContain('10.42.1.3/24');
  expect(call('DEL', pathOf(pod)).status).toBe(0);
  expect(given().sort()).toEqual(['10.42.1.3', 'fd00:42:1::2']);
  expect(links(node, 'veth').length).toBe(1);
});

test('GC takes away what no container of the list has', () => {
  const [one, two] = [newPod(), newPod()];
  call('ADD', pathOf(one));
  call('ADD', pathOf(two), { id: 'pod-2' });
  const valid = {
    'cni.dev/valid-attachments': [{ containerID: 'pod-2', ifname: 'eth0' }],
    cniVersion: '1.1.0',
  };
  expect(call('GC', '', { conf: config(DELEGATE, { cniVersion: '1.1.0' }) })).toMatchObject({
    told: { code: 7 },
  });
  expect(call('GC', '', { conf: config(DELEGATE, valid) })).toEqual({ status: 0, told: undefined });
  expect(given().sort()).toEqual(['10.42.1.3', 'fd00:42:1::3']);
  expect(links(node, 'veth').length).toBe(1);
});

test('without subnet.env a pod is to be tried again later, and STATUS says that none can come', () => {
  const conf = config(DELEGATE, { subnetFile: '/nowhere/subnet.env', cniVersion: '1.1.0' });
  expect(call('ADD', pathOf(newPod()), { conf })).toMatchObject({ status: 1, told: { code: 11 } });
  expect(call('STATUS', '', { conf })).toMatchObject({ status: 1, told: { code: 50 } });
  expect(call('STATUS', '', { conf: config(DELEGATE, { cniVersion: '1.1.0' }) }).status).toBe(0);
});

test('an ADD that cannot be takes back what it had', () => {
  writeFileSync(join(folder.path, 'subnet.env'), SUBNET_ENV.replace('10.42.1.1/24', '10.42.1.1/30'));
  expect(call('ADD', pathOf(newPod())).status).toBe(0);
  const full = call('ADD', pathOf(newPod()), { id: 'pod-2' });
  expect(full).toMatchObject({
    status: 1,
    told: { code: 100, msg: expect.stringContaining('no IP addresses available') },
  });
  expect(given().sort()).toEqual(['10.42.1.2', 'fd00:42:1::2']);
  run(node, ['ip', 'link', 'add', 'br7', 'type', 'veth']);
  const conf = config({ ...DELEGATE, bridge: 'br7' });
  expect(call('DEL', pathOf(newPod())).status).toBe(0);
  const foreign = call('ADD', pathOf(newPod()), { id: 'pod-3', conf });
  expect(foreign).toMatchObject({ status: 1, told: { msg: 'br7 already exists but is not a bridge' } });
  expect(given()).toEqual([]);
});

test('an address in use on the bridge is not given', () => {
  run(node, ['ip', 'link', 'add', 'cni0', 'type', 'bridge']);
  run(node, ['ip', 'address', 'add', '10.42.1.1/24', 'dev', 'cni0']);
  run(node, ['ip', 'link', 'set', 'cni0', 'up']);
  run(node, [
    'ip',
    'neigh',
    'add',
    '10.42.1.2',
    'lladdr',
    '02:00:00:00:00:01',
    'dev',
    'cni0',
    'nud',
    'reachable',
  ]);
  expect(JSON.stringify(call('ADD', pathOf(newPod())).told)).toContain('10.42.1.3/24');
});

test('a bridge with a foreign address is refused, or with forceAddress put right', () => {
  run(node, ['ip', 'link', 'add', 'cni0', 'type', 'bridge']);
  run(node, ['ip', 'address', 'add', '10.99.0.1/24', 'dev', 'cni0']);
  const conf = config({ isDefaultGateway: true });
  expect(call('ADD', pathOf(newPod()), { conf })).toMatchObject({
    told: { details: expect.stringContaining('10.99.0.1/24') },
  });
  expect(call('ADD', pathOf(newPod()), { id: 'pod-2' }).status).toBe(0);
  expect(run(node, ['ip', '-br', '-4', 'address', 'show', 'cni0'])).toMatch(/10\.42\.1\.1\/24 *\n/);
});

test('another delegate is executed, and its errors are passed on', () => {
  const conf = config({ type: 'ptp' });
  const pod = newPod();
  expect(call('ADD', pathOf(pod), { conf })).toMatchObject({
    status: 0,
    told: { ips: [{ address: '10.42.1.2/24' }, {}] },
  });
  expect(call('DEL', pathOf(pod), { conf }).status).toBe(0);
  expect(given()).toEqual([]);
  const absent = config({ type: 'not-there' });
  expect(call('ADD', pathOf(pod), { conf: absent })).toMatchObject({
    told: { msg: expect.stringContaining('not-there') },
  });
  for (const delegate of [{ name: 'x' }, { ipam: {} }, { type: 'flannel' }, { type: 7 }]) {
    expect(call('ADD', pathOf(pod), { conf: config(delegate) })).toMatchObject({
      status: 1,
      told: { code: 7 },
    });
  }
});
