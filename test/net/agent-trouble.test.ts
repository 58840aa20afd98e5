import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Pinger } from '../../src/cli/demo/pings.ts';
import { writeSysctls } from '../../src/cli/demo/topology.ts';
import { parseIp } from '../../src/model/ip.ts';
import { readSubnetEnv, subnetEnvText, vxlanOverlay } from './agent-expected.ts';
import { leaseOf, partOf } from './agent-store.ts';
import {
  changeNetConf,
  eventually,
  expectOverlay,
  expectTrouble,
  JSON_LOG,
  reasonsOf,
  TIMEOUT_MS,
} from './agent-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

async function expectRecovery(lab: Lab): Promise<void> {
  for (const node of lab.nodes) {
    await node.agent.ready();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    expect(readSubnetEnv(node)).toBe(subnetEnvText(leaseOf(lab, node), 1430));
  }
}

function rename(node: LabNode, from: string, to: string): void {
  node.run('ip', 'link', 'set', from, 'down');
  node.run('ip', 'link', 'set', from, 'name', to);
  node.run('ip', 'link', 'set', to, 'up');
}

test(
  'an interface that is not there is waited for',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    rename(node, 'eth0', 'eth9');
    node.start(JSON_LOG);
    await expectTrouble(node, 'interface-missing', '--iface=eth0');
    rename(node, 'eth9', 'eth0');
    await expectRecovery(lab);
  },
  TIMEOUT_MS,
);

test(
  'an interface without any address is waited for',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    writeSysctls(node.space.netns, { 'net/ipv6/conf/eth0/disable_ipv6': 1 });
    node.run('ip', 'address', 'flush', 'dev', 'eth0');
    node.start(JSON_LOG);
    await expectTrouble(node, 'interface-no-address', 'eth0 has no usable IPv4 or IPv6 address');
    writeSysctls(node.space.netns, { 'net/ipv6/conf/eth0/disable_ipv6': 0 });
    node.run('ip', 'address', 'add', 'fd77::1/64', 'dev', 'eth0', 'nodad');
    node.run('ip', 'address', 'add', '192.168.77.1/24', 'dev', 'eth0');
    await expectRecovery(lab);
  },
  TIMEOUT_MS,
);

test(
  'without an IPv6 address IPv4 works already, and subnet.env waits until it is whole',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const [node, peer] = [lab.node(1), lab.node(2)];
    writeSysctls(node.space.netns, { 'net/ipv6/conf/eth0/disable_ipv6': 1 });
    for (const each of lab.nodes) each.start(JSON_LOG);
    await expectTrouble(node, 'interface-no-address', 'eth0 has no usable IPv6 address');
    await peer.agent.ready();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    const { subnet } = partOf(leaseOf(lab, node), 4);
    const remote = parseIp(partOf(leaseOf(lab, peer), 4).base);
    if (remote === undefined) throw new Error('no address');
    using pinger = new Pinger(node.space.netns, 4);
    await eventually(async () => expect(await pinger.ping(remote)).toBeGreaterThan(0));
    expect(existsSync(join(node.agent.directory, 'subnet.env'))).toBe(false);
    writeSysctls(node.space.netns, { 'net/ipv6/conf/eth0/disable_ipv6': 0 });
    node.run('ip', 'address', 'add', 'fd77::1/64', 'dev', 'eth0', 'nodad');
    await expectRecovery(lab);
    expect(partOf(leaseOf(lab, node), 4).subnet).toBe(subnet);
  },
  TIMEOUT_MS,
);

test(
  'an interface whose MTU leaves IPv6 too little is named, and followed when it is raised',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    node.run('ip', 'link', 'set', 'eth0', 'mtu', '1300');
    node.start(JSON_LOG);
    await expectTrouble(
      node,
      'mtu-too-small',
      'Interface eth0 has MTU 1300: VXLAN leaves 1230 bytes, IPv6 needs 1280',
    );
    node.run('ip', 'link', 'set', 'eth0', 'mtu', '1500');
    await expectRecovery(lab);
  },
  TIMEOUT_MS,
);

test(
  'a node address inside the pod network is told, and waited with for nothing',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    changeNetConf(lab, { Network: '192.168.0.0/16' });
    await node.start(JSON_LOG).ready();
    expect(await reasonsOf(node)).toMatchObject({
      status: 200,
      codes: ['network-overlap'],
      messages: ['Address 192.168.77.1 of eth0 lies in the pod network 192.168.0.0/16'],
    });
  },
  TIMEOUT_MS,
);
