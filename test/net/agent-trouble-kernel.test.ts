import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../ffi/netns.ts';
import { writeSysctls } from '../../src/cli/demo/topology.ts';
import { readSubnetEnv, subnetEnvText, vxlanOverlay } from './agent-expected.ts';
import { readMetrics } from './agent-metrics.ts';
import { readOverlay } from './agent-overlay.ts';
import { leaseOf } from './agent-store.ts';
import {
  eventually,
  expectOverlay,
  expectTrouble,
  JSON_LOG,
  readLog,
  reasonsOf,
  TIMEOUT_MS,
} from './agent-support.ts';
import { createLab, EXECUTABLE, type Lab, LabNode } from './lab.ts';
import { Manager } from './manager.ts';

async function expectRemedy(node: LabNode, code: string, text: string): Promise<void> {
  const { codes, remedies } = await reasonsOf(node);
  expect(remedies[codes.indexOf(code)]).toContain(text);
}

async function expectRecovery(lab: Lab): Promise<void> {
  for (const node of lab.nodes) {
    await node.agent.ready();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    expect(readSubnetEnv(node)).toBe(subnetEnvText(leaseOf(lab, node), 1430));
  }
}

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
    const message = await expectTrouble(node, 'link-conflict', '(vx9 has VNI 1 and port 8472)');
    expect(message).toStartWith('Cannot create link flannel.1 ');
    await expectRemedy(node, 'link-conflict', 'Remove the device (ip link delete vx9)');
    node.run('ip', 'link', 'delete', 'vx9');
    await expectRecovery(lab);
    // The next try was not waited for.
    const causes = readLog(node.agent).map(({ cause }) => `${cause}`);
    expect(causes.some((cause) => cause.includes('link vx9 is gone'))).toBe(true);
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
    await expectRemedy(node, 'netlink-denied', 'AmbientCapabilities=CAP_NET_ADMIN');
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

test(
  'a device with our VNI and port that was moved out of sight is told apart from one that can be named',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const node = lab.node(1);
    node.run('ip', 'link', 'add', 'vx9', 'type', 'vxlan', 'id', '1', 'dstport', '8472');
    node.run('ip', 'link', 'set', 'vx9', 'netns', String(lab.node(2).start().pid));
    node.start(JSON_LOG);
    await expectTrouble(node, 'link-conflict', 'flannel.1');
    await expectRemedy(node, 'link-conflict', 'No device of this network namespace has them');
    lab.node(2).run('ip', 'link', 'delete', 'vx9');
    await expectRecovery(lab);
  },
  TIMEOUT_MS,
);

test(
  'a program that holds the UDP port is waited for',
  async () => {
    await using lab = await createLab({ nodes: 1, families: [4] });
    const node = lab.node(1);
    const script = "await Bun.udpSocket({ hostname: '0.0.0.0', port: 8472 }); console.log('up')";
    const holder = inNetns(node.space.netns, () => Bun.spawn([process.execPath, '-e', script]));
    for await (const _ of holder.stdout) break;
    node.start(JSON_LOG);
    await expectTrouble(node, 'link-conflict', 'Cannot create link flannel.1 up: EADDRINUSE');
    await expectRemedy(node, 'link-conflict', 'ss -lunp sport = :8472');
    expect(existsSync(join(node.agent.directory, 'subnet.env'))).toBe(false);
    holder.kill();
    await holder.exited;
    await node.agent.ready();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
  },
  TIMEOUT_MS,
);

/** What `RestrictAddressFamilies=` without AF_NETLINK does (seccomp(2)), in the Perl that every Debian has. */
const NO_NETLINK = `
  my ($prctl, $socket) = splice(@ARGV, 0, 2);
  my @load = (0x20, 0, 0); my @equal = (0x15, 0); my @give = (0x06, 0, 0);
  my $filter = join('', map { pack('SCCL', @$_) } (
    [@load, 0], [@equal, 3, $socket], [@load, 16], [@equal, 1, 16], [@give, 0x50000 | 97], [@give, 0x7fff0000]));
  syscall($prctl, 38, 1, 0, 0, 0) == 0 or die $!;
  my $program = pack('Sx6P', 6, $filter);
  syscall($prctl, 22, 2, $program, 0, 0) == 0 or die $!;
  exec @ARGV;
`;

test(
  'an agent that may open no netlink socket lives, answers, and says what the unit lacks',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    // asm/unistd.h: prctl and socket.
    const numbers = process.arch === 'arm64' ? ['167', '198'] : ['157', '41'];
    const command = [
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      'perl',
      '-e',
      NO_NETLINK,
      ...numbers,
      EXECUTABLE,
    ];
    await using node = new LabNode(lab.node(1).space, { ...lab.site, command });
    const path = join(lab.directory, 'notify');
    using manager = new Manager(path);
    node.start({ ...JSON_LOG, environment: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '30000000' } });
    await expectTrouble(node, 'netlink-failed', 'Cannot open a netlink socket: EAFNOSUPPORT');
    await expectRemedy(node, 'netlink-failed', 'RestrictAddressFamilies=');
    expect((await node.agent.status())?.ready).toBe(false);
    expect((await node.agent.get('/livez'))?.text).toBe('alive');
    expect((await readMetrics(node)).get('flannelette_problems{code="netlink-failed"}')).toBe(1);
    await manager.next('STATUS=Not ready: Cannot open a netlink socket: EAFNOSUPPORT. Allow netlink', 0);
    await manager.next('WATCHDOG=1\nEXTEND_TIMEOUT_USEC=', 0);
    expect(await node.stop()).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  'an agent whose CAP_NET_ADMIN is of another user namespace says so',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const command = ['unshare', '-Ur', '--kill-child', '--', EXECUTABLE];
    await using node = new LabNode(lab.node(1).space, { ...lab.site, command });
    node.start(JSON_LOG);
    await expectTrouble(node, 'netlink-denied', 'EPERM');
    await expectRemedy(node, 'netlink-denied', 'but not over this network namespace');
  },
  TIMEOUT_MS,
);

test(
  'IPv6 that is switched off for devices, and cannot be switched on, holds up IPv6 alone',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const node = lab.node(1);
    const script = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"';
    const command = [
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      'unshare',
      '-m',
      'sh',
      '-c',
      script,
      'sh',
      EXECUTABLE,
    ];
    writeSysctls(node.space.netns, {
      'net/ipv6/conf/default/disable_ipv6': 1,
      'net/ipv4/ip_forward': 1,
      'net/ipv6/conf/all/forwarding': 1,
    });
    await using weak = new LabNode(node.space, { ...lab.site, command });
    weak.start(JSON_LOG);
    lab.node(2).start();
    await expectTrouble(weak, 'kernel-unsupported', 'flannel-v6.1: EACCES');
    await expectRemedy(weak, 'kernel-unsupported', 'IPv6 is off here');
    await eventually(() => {
      const routes = vxlanOverlay(lab, weak).routes.filter(({ dev }) => dev === 'flannel.1');
      expect(routes.length).toBe(1);
      expect(readOverlay(weak).routes.filter(({ dev }) => dev === 'flannel.1')).toEqual(routes);
    });
    writeSysctls(node.space.netns, { 'net/ipv6/conf/flannel-v6.1/disable_ipv6': 0 });
    await weak.agent.ready();
    await eventually(() => expect(readOverlay(weak).routes).toEqual(vxlanOverlay(lab, weak).routes));
  },
  TIMEOUT_MS,
);
