import { expect, test } from 'bun:test';
import { FAMILIES } from '../../src/model/ip.ts';
import { hostGwOverlay, readSubnetEnv, subnetEnvText } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import { leaseOf, readLeases } from './agent-store.ts';
import { expectPodsTalk, TIMEOUT_MS } from './agent-support.ts';
import { createLab } from './lab.ts';

test.each([
  { what: 'both families', families: FAMILIES },
  { what: 'IPv4', families: [4] as const },
  { what: 'IPv6', families: [6] as const },
])(
  'host-gw with $what makes what flanneld makes, and pods talk',
  async ({ families }) => {
    await using lab = await createLab({ nodes: 3, families, backend: { Type: 'host-gw' } });
    await lab.startAll();
    for (const node of lab.nodes) {
      expect(readOverlay(node)).toEqual(hostGwOverlay(lab, node));
      expect(readSubnetEnv(node)).toBe(subnetEnvText(leaseOf(lab, node), 1500));
    }
    await expectPodsTalk(await lab.addPods());
  },
  TIMEOUT_MS,
);

test(
  'host-gw leases say nothing but how the node is reached',
  async () => {
    await using lab = await createLab({ nodes: 1, backend: { Type: 'Host-GW' } });
    await lab.startAll();
    expect(readLeases(lab).map(({ attributes }) => attributes)).toEqual([
      '{"PublicIP":"192.168.77.1","PublicIPv6":"fd77::1","BackendType":"host-gw"}',
    ]);
  },
  TIMEOUT_MS,
);

test(
  '--ip-masq is said in subnet.env, and the file keeps its mode',
  async () => {
    await using lab = await createLab({ nodes: 1, backend: { Type: 'host-gw' } });
    const node = lab.node(1);
    await lab.startAll();
    const file = `${node.agent.directory}/subnet.env`;
    expect(node.run('stat', '-c', '%a', file)).toBe('644\n');
    node.run('chmod', '600', file);
    await node.stop();
    await node.start({ arguments: ['--ip-masq'] }).ready();
    expect(readSubnetEnv(node)).toBe(subnetEnvText(leaseOf(lab, node), 1500, true));
    expect(node.run('stat', '-c', '%a', file)).toBe('600\n');
  },
  TIMEOUT_MS,
);
