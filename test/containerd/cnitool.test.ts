/** CNI 1.1 as libcni speaks it, which Debian's containerd does not yet. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { findBinaries } from './binaries.ts';
import { PLUGINS } from './pod-node.ts';
import { PodsLab } from './pods-lab.ts';

const NETWORK = 'cbr0';
const NETNS = '/run/netns/pod';
const ENVIRONMENT = { CNI_PATH: PLUGINS, NETCONFPATH: '/run/newer' };

let pods: PodsLab;
beforeAll(async () => {
  pods = await PodsLab.start();
  const { one } = pods;
  const installed = one.run(['cat', '/etc/cni/net.d/10-flannel.conflist']);
  one.write('/run/newer/10-flannel.conflist', installed.replace('"1.0.0"', '"1.1.0"'));
});
afterAll(() => pods?.[Symbol.asyncDispose]());

beforeEach(() => {
  pods.one.run(['sh', '-c', 'ip netns del pod 2>/dev/null; ip netns add pod']);
});

function cnitool(verb: string): string {
  return pods.one.run([findBinaries().cnitool, verb, NETWORK, NETNS], ENVIRONMENT);
}

function collectGarbage(...attachments: string[]): string {
  return pods.one.run([findBinaries().cnigc, NETWORK, ...attachments], ENVIRONMENT);
}

function left(): string {
  return pods.one.run([
    'sh',
    '-c',
    'ip -br link show type veth master cni0; ls /run/cni/networks/* | grep -v "lock\\|last"; true',
  ]);
}

test('STATUS, ADD, CHECK, DEL and DEL again', () => {
  const { one } = pods;
  expect(cnitool('status')).toBe('');
  expect(JSON.parse(cnitool('add'))).toMatchObject({
    cniVersion: '1.1.0',
    interfaces: [
      { name: 'cni0' },
      { name: expect.stringMatching(/^veth/) },
      { name: 'eth0', sandbox: NETNS },
    ],
    ips: [{ address: expect.stringMatching(/^10\.42\./) }, { address: expect.stringMatching(/^fd42:/) }],
    routes: expect.arrayContaining([{ dst: '0.0.0.0/0', gw: expect.any(String) }]),
  });
  expect(cnitool('check')).toBe('');
  one.run(['ip', '-netns', 'pod', 'route', 'del', 'default']);
  expect(() => cnitool('check')).toThrow(/the route to 0\.0\.0\.0\/0 is gone/);
  for (const _ of [1, 2]) expect(cnitool('del')).toBe('');
  expect(left()).toMatch(/^\s*$/);
});

test('GC takes away what the runtime has lost sight of, and without a list nothing', () => {
  const { one } = pods;
  cnitool('add');
  const [container = ''] = one.run(['ls', '/run/cni/flannel']).split(':');
  // As if the runtime had been killed before it wrote down that there is a pod.
  one.run(['sh', '-c', 'rm -r /var/lib/cni/results; ip netns del pod']);
  collectGarbage('another/eth0', `${container}/eth0`);
  expect(() => cnitool('gc')).toThrow(/valid-attachments is missing/);
  expect(left()).toContain('10.42.');
  collectGarbage('another/eth0');
  expect(left()).toMatch(/^\s*$/);
});

test('STATUS says that no pod can come while there is no subnet', async () => {
  const { one } = pods;
  await one.agent.stop();
  one.run(['rm', `${one.agent.directory}/subnet.env`]);
  expect(() => cnitool('status')).toThrow(/the agent has not written/);
  await one.startAgent().ready();
  expect(cnitool('status')).toBe('');
});
