/** The node's bridge as the plugin finds it, and makes it. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { pathOf, REFERENCE } from './cni-plugin.ts';
import { CniStage, DELEGATE, SUBNET_ENV } from './cni-stage.ts';
import { run } from './witness.ts';

let stage: CniStage;

beforeEach(() => {
  stage = new CniStage();
});

afterEach(() => stage[Symbol.dispose]());

test('an ADD that cannot be takes back what it had', () => {
  stage.writeSubnets(SUBNET_ENV.replace('10.42.1.1/24', '10.42.1.1/30'));
  expect(stage.call('ADD', pathOf(stage.newPod())).status).toBe(0);
  const full = stage.call('ADD', pathOf(stage.newPod()), { id: 'pod-2' });
  expect(full).toMatchObject({
    status: 1,
    told: { code: 100, msg: expect.stringContaining('no IP addresses available') },
  });
  expect(stage.given()).toEqual(['10.42.1.2', 'fd00:42:1::2']);
  run(stage.node, ['ip', 'link', 'add', 'br7', 'type', 'veth']);
  const conf = stage.config({ ...DELEGATE, bridge: 'br7' });
  expect(stage.call('DEL', pathOf(stage.newPod())).status).toBe(0);
  const foreign = stage.call('ADD', pathOf(stage.newPod()), { id: 'pod-3', conf });
  expect(foreign).toMatchObject({ status: 1, told: { msg: 'br7 already exists but is not a bridge' } });
  expect(stage.given()).toEqual([]);
});

test('an address in use on the bridge is not given', () => {
  run(stage.node, ['ip', 'link', 'add', 'cni0', 'type', 'bridge']);
  run(stage.node, ['ip', 'address', 'add', '10.42.1.1/24', 'dev', 'cni0']);
  run(stage.node, ['ip', 'link', 'set', 'cni0', 'up']);
  run(stage.node, [
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
  expect(JSON.stringify(stage.call('ADD', pathOf(stage.newPod())).told)).toContain('10.42.1.3/24');
});

test('a bridge of a foreign subnet is refused while it has ports, put right without, and with forceAddress always', () => {
  run(stage.node, ['ip', 'link', 'add', 'cni0', 'type', 'bridge']);
  const foreign = () => run(stage.node, ['ip', 'address', 'add', '10.99.0.1/24', 'dev', 'cni0']);
  const addresses = () => run(stage.node, ['ip', '-br', '-4', 'address', 'show', 'cni0']);
  foreign();
  const conf = stage.config({ isDefaultGateway: true });
  expect(stage.call('ADD', pathOf(stage.newPod()), { conf }).status).toBe(0);
  expect(addresses()).toMatch(/10\.42\.1\.1\/24 *\n/);
  run(stage.node, ['ip', 'address', 'del', '10.42.1.1/24', 'dev', 'cni0']);
  foreign();
  expect(stage.call('ADD', pathOf(stage.newPod()), { conf, id: 'pod-2' })).toMatchObject({
    status: 1,
    told: {
      code: 100,
      msg: 'cni0 already has an IP address different from 10.42.1.1/24',
      details: expect.stringMatching(
        /^It has 10\.99\.0\.1\/24, and 1 ports \(veth[0-9a-f]{11}\): delete the pods/,
      ),
    },
  });
  expect(addresses()).toContain('10.99.0.1/24');
  expect(stage.call('ADD', pathOf(stage.newPod()), { id: 'pod-3' }).status).toBe(0);
  expect(addresses()).toMatch(/10\.42\.1\.1\/24 *\n/);
});

test.each([
  [
    'vxlan',
    ['type', 'vxlan', 'id', '7', 'dstport', '4789'],
    /^It is a link of the kind vxlan: rename or delete/,
  ],
  ['veth', ['type', 'veth', 'peer', 'name', 'other'], /^It is a link of the kind veth:/],
] as const)('a %s of the name of the bridge is left alone and explained', (_, kind, details) => {
  run(stage.node, ['ip', 'link', 'add', 'cni0', ...kind]);
  const before = run(stage.node, ['ip', '-j', 'link']);
  expect(stage.call('ADD', pathOf(stage.newPod()))).toMatchObject({
    status: 1,
    told: {
      code: 100,
      msg: 'cni0 already exists but is not a bridge',
      details: expect.stringMatching(details),
    },
  });
  expect(run(stage.node, ['ip', '-j', 'link'])).toEqual(before);
  expect([stage.given(), stage.state()]).toEqual([[], []]);
});

test('pods that come at once put a bridge of a foreign subnet right together', async () => {
  const start = (id: string, netns: string) =>
    inNetns(stage.node, () =>
      Bun.spawn([join(stage.path, 'flannel')], {
        stdin: Buffer.from(JSON.stringify(stage.config())),
        env: {
          CNI_COMMAND: 'ADD',
          CNI_CONTAINERID: id,
          CNI_NETNS: netns,
          CNI_IFNAME: 'eth0',
          CNI_PATH: REFERENCE,
        },
      }),
    );
  run(stage.node, ['ip', 'link', 'add', 'cni0', 'type', 'bridge']);
  for (let round = 0; round < 5; round++) {
    for (let i = 1; i < 20; i++) run(stage.node, ['ip', 'address', 'add', `10.99.${i}.1/24`, 'dev', 'cni0']);
    const adds = [1, 2, 3, 4, 5, 6].map((i) => start(`pod-${round}-${i}`, pathOf(stage.newPod())));
    const told = await Promise.all(adds.map(({ stdout }) => new Response(stdout).text()));
    expect(told.filter((each) => each.includes('code'))).toEqual([]);
    expect(run(stage.node, ['ip', '-br', '-4', 'address', 'show', 'cni0'])).toMatch(/10\.42\.1\.1\/24 *\n/);
    run(stage.node, ['ip', 'address', 'del', '10.42.1.1/24', 'dev', 'cni0']);
  }
});

test('an address that is written down where others have written before is not given, and named when none is left', () => {
  const taken = (ip: string) => [
    ...['unshare', '-m', 'sh', '-c'],
    `mount -t tmpfs tmpfs /run && mkdir -p /run/cni/networks/cbr0 && echo pod-0 > /run/cni/networks/cbr0/${ip} && exec "$0"`,
  ];
  const made = stage.call('ADD', pathOf(stage.newPod()), { wrapper: taken('10.42.1.2') });
  expect(JSON.stringify(made.told)).toContain('10.42.1.3/24');
  expect(stage.call('DEL', '').status).toBe(0);
  stage.writeSubnets(SUBNET_ENV.replace('10.42.1.1/24', '10.42.1.5/30'));
  expect(stage.call('ADD', pathOf(stage.newPod()), { wrapper: taken('10.42.1.6') })).toMatchObject({
    told: {
      msg: expect.stringContaining('no IP addresses available'),
      details: expect.stringContaining('/run/cni/networks/cbr0 has 1'),
    },
  });
});
