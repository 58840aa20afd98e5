import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Pinger } from '../../src/cli/demo/pings.ts';
import { writeSysctls } from '../../src/cli/demo/topology.ts';
import { parseIp } from '../../src/model/ip.ts';
import { readSubnetEnv, subnetEnvText, vxlanOverlay } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import { leaseOf, partOf } from './agent-store.ts';
import { eventually, expectOverlay, expectTrouble, JSON_LOG, TIMEOUT_MS } from './agent-support.ts';
import { createLab, EXECUTABLE, type Lab, LabNode } from './lab.ts';

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
  'a device of another kind with the name of ours is left alone, and the other family works',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const node = lab.node(1);
    for (const command of [
      'link add flannel.1 type bridge',
      'address add 10.42.99.1/24 dev flannel.1',
      'address add fd42:0:0:99::1/64 dev flannel.1 nodad',
      'link set flannel.1 up',
      'neighbour add 10.42.99.9 lladdr 02:00:00:00:00:09 dev flannel.1 nud permanent',
      'route add 10.99.0.0/16 via 10.42.99.9 dev flannel.1',
    ]) {
      node.run('ip', ...command.split(' '));
    }
    const looks = [
      'link show flannel.1',
      'address show flannel.1',
      'neigh show dev flannel.1',
      '-4 route show dev flannel.1',
      '-6 route show dev flannel.1 scope global',
    ];
    // Whether the kernel is still looking for duplicates is its own business.
    const look = () => looks.map((text) => node.run('ip', ...text.split(' ')).replaceAll(' tentative', ''));
    const before = look();
    for (const each of lab.nodes) each.start(JSON_LOG);
    await expectTrouble(node, 'link-conflict', 'flannel.1');
    await eventually(() => {
      const isV6 = ({ name }: { name: string }) => name === 'flannel-v6.1';
      expect(readOverlay(node).links.filter(isV6)).toEqual(vxlanOverlay(lab, node).links.filter(isV6));
      const routes = vxlanOverlay(lab, node).routes.filter(({ dev }) => dev === 'flannel-v6.1');
      expect(readOverlay(node).routes.filter(({ dev }) => dev === 'flannel-v6.1')).toEqual(routes);
    });
    expect(look()).toEqual(before);
    node.run('ip', 'link', 'delete', 'flannel.1');
    await expectRecovery(lab);
  },
  TIMEOUT_MS,
);

test(
  'a device that holds our VNI and port is named, and waited for',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const taken = 'link add vx9 type vxlan id 1 dev eth0 local 192.168.77.1 dstport 8472';
    node.run('ip', ...taken.split(' '));
    node.start(JSON_LOG);
    await expectTrouble(node, 'link-conflict', 'flannel.1');
    node.run('ip', 'link', 'delete', 'vx9');
    await expectRecovery(lab);
  },
  TIMEOUT_MS,
);

test(
  'an agent without CAP_NET_ADMIN says what it lacks, makes nothing, and the next one that has it works',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const weak = [
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--bounding-set',
      '-net_admin',
      '--inh-caps',
      '-net_admin',
    ];
    const command = [...weak, '--', EXECUTABLE];
    await using node = new LabNode(lab.node(1).space, { ...lab.site, command });
    node.start(JSON_LOG);
    const message = await expectTrouble(node, 'netlink-denied', 'EPERM');
    expect(message).toContain('flannel.1');
    expect(readOverlay(node)).toEqual({
      links: [],
      addresses: [],
      routes: [],
      neighbours: [],
      forwarding: [],
    });
    expect((await node.agent.get('/livez'))?.status).toBe(200);
    expect(await node.stop()).toBe(0);
    await lab.startAll(JSON_LOG);
    await expectRecovery(lab);
  },
  TIMEOUT_MS,
);
