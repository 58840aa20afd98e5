/** The settings without which a node passes no packets on: sysctl and radvd are the witnesses. */
import { expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { inNetns, type Netns } from '../../ffi/netns.ts';
import { writeSysctls } from '../../src/cli/demo/topology.ts';
import { programPath } from '../program-path.ts';
import { readMetrics } from './agent-metrics.ts';
import {
  eventually,
  expectPodsTalk,
  expectTrouble,
  JSON_LOG,
  reasonsOf,
  TIMEOUT_MS,
} from './agent-support.ts';
import { createLab, EXECUTABLE, type LabNode } from './lab.ts';
import { run } from './witness.ts';

const IPV4 = 'net.ipv4.ip_forward';
const IPV6 = 'net.ipv6.conf.all.forwarding';
const LISTENING = 'net.ipv6.conf.eth0.accept_ra';

function sysctl(node: LabNode, name: string): string {
  return node.run('sysctl', '-n', name).trim();
}

const statusSchema = v.looseObject({
  forwarding: v.looseObject({ settings: v.record(v.string(), v.string()), notes: v.array(v.string()) }),
});

async function forwardingOf(node: LabNode) {
  const answer = await node.agent.get('/status');
  return v.parse(statusSchema, JSON.parse(answer?.text ?? '')).forwarding;
}

async function settingsOf(node: LabNode): Promise<Readonly<Record<string, string>>> {
  return (await forwardingOf(node)).settings;
}

test(
  'forwarding is switched on, and again whenever it is switched off; another value than 0 stays',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const node = lab.node(1);
    for (const { space } of lab.nodes)
      writeSysctls(space.netns, { 'net/ipv4/ip_forward': 0, 'net/ipv6/conf/all/forwarding': 0 });
    await lab.startAll(JSON_LOG);
    expect([sysctl(node, IPV4), sysctl(node, IPV6)]).toEqual(['1', '1']);
    expect(await settingsOf(node)).toEqual({ [IPV4]: '1', [LISTENING]: '2', [IPV6]: '1' });
    const times: string[] = [];
    for (const name of [IPV4, IPV6]) {
      const startMs = performance.now();
      node.run('sysctl', '-q', '-w', `${name}=0`);
      await eventually(() => expect(sysctl(node, name)).toBe('1'));
      times.push(`  ${name}: ${Math.round(performance.now() - startMs)} ms with two starts of sysctl`);
    }
    console.log(`Repair times of settings:\n${times.join('\n')}`);
    await eventually(async () =>
      expect((await readMetrics(node)).get('flannelette_repairs_total{kind="sysctl",cause="changed"}')).toBe(
        2,
      ),
    );
    node.run('sysctl', '-q', '-w', `${IPV4}=2`);
    // The repair of something else shows that the agent has looked since.
    node.run('sysctl', '-q', '-w', `${IPV6}=0`);
    await eventually(() => expect(sysctl(node, IPV6)).toBe('1'));
    expect(sysctl(node, IPV4)).toBe('2');
    await node.stop();
    expect([sysctl(node, IPV4), sysctl(node, IPV6)]).toEqual(['2', '1']);
    await expectPodsTalk(
      await Promise.all([
        node
          .start(JSON_LOG)
          .ready()
          .then(() => node.addPod()),
        lab.node(2).addPod(),
      ]),
    );
  },
  TIMEOUT_MS,
);

test(
  'a network of one family needs only its own',
  async () => {
    await using lab = await createLab({ nodes: 1, families: [4] });
    const node = lab.node(1);
    await node.start().ready();
    expect([sysctl(node, IPV4), sysctl(node, IPV6)]).toEqual(['1', '0']);
  },
  TIMEOUT_MS,
);

/** A router on the underlay that tells of itself. */
function startRouter(netns: Netns, directory: string): Disposable {
  const config = join(directory, 'radvd.conf');
  const link =
    'interface br0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 600; };';
  writeFileSync(config, link);
  writeSysctls(netns, { 'net/ipv6/conf/all/forwarding': 1, 'net/ipv6/conf/br0/disable_ipv6': 0 });
  const command = [
    programPath('radvd'),
    '-n',
    '-C',
    config,
    '-p',
    join(directory, 'radvd.pid'),
    '-m',
    'stderr',
  ];
  const process = inNetns(netns, () => Bun.spawn(command, { stdio: ['ignore', 'ignore', 'ignore'] }));
  return { [Symbol.dispose]: () => process.kill() };
}

test(
  'the default route that a router has given stays, and the kernel goes on listening to it',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    using _router = startRouter(lab.bridge, lab.directory);
    const routes = () => node.run('ip', '-6', 'route', 'show', 'default');
    await eventually(() => expect(routes()).toContain('proto ra'), 30_000);
    expect(sysctl(node, LISTENING)).toBe('1');
    await node.start(JSON_LOG).ready();
    expect(await settingsOf(node)).toEqual({ [IPV4]: '1', [LISTENING]: '2', [IPV6]: '1' });
    expect(routes()).toContain('proto ra');
    // It would not come back if the kernel did not listen any more.
    node.run('ip', '-6', 'route', 'flush', 'default');
    await eventually(() => expect(routes()).toContain('proto ra'), 30_000);
    expect(sysctl(node, LISTENING)).toBe('2');
  },
  TIMEOUT_MS,
);

test(
  'a router that speaks only when the node forwards already is heard; one that nobody listened to is not',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const [node, deaf] = [lab.node(1), lab.node(2)];
    // networkd and its like listen themselves.
    writeSysctls(deaf.space.netns, { 'net/ipv6/conf/eth0/accept_ra': 0 });
    await lab.startAll(JSON_LOG);
    using _router = startRouter(lab.bridge, lab.directory);
    const routes = (of: LabNode) => of.run('ip', '-6', 'route', 'show', 'default');
    await eventually(() => expect(routes(node)).toContain('proto ra'), 30_000);
    expect(routes(deaf)).toBe('');
    expect([sysctl(node, LISTENING), sysctl(deaf, LISTENING)]).toEqual(['2', '0']);
  },
  TIMEOUT_MS,
);

test(
  'where /proc/sys is read-only, what is right already is right, and what is not is told with the command',
  async () => {
    const readOnly = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount -o bind,ro /proc/sys /proc/sys && exec "$@"',
      'sh',
    ];
    await using lab = await createLab({ nodes: 1, families: [4], command: [...readOnly, EXECUTABLE] });
    const node = lab.node(1);
    node.run('sysctl', '-q', '-w', `${IPV4}=1`);
    await node.start(JSON_LOG).ready();
    node.run('sysctl', '-q', '-w', `${IPV4}=0`);
    const message = await expectTrouble(node, 'file-unwritable', `Cannot set sysctl ${IPV4}=1`);
    const { remedies, messages } = await reasonsOf(node);
    const remedy = remedies[messages.indexOf(message)] ?? '';
    const [, command = ''] = /\((sysctl -w \S+),/.exec(remedy) ?? [];
    run(node.space.netns, command.split(' '));
    await node.agent.ready();
  },
  TIMEOUT_MS,
);

test.each([
  ['iptables', 'iptables-nft -t nat -N KUBE-SERVICES'],
  ['nftables', 'nft add table ip kube-proxy'],
])(
  'where kube-proxy works by %s, the setting of bridges is noted that it needs, with the command',
  async (_, kubeProxy) => {
    await using lab = await createLab({ nodes: 1, families: [4] });
    const node = lab.node(1);
    const setting = '/proc/sys/net/bridge/bridge-nf-call-iptables';
    const isLoaded = existsSync(setting);
    if (isLoaded) writeSysctls(node.space.netns, { 'net/bridge/bridge-nf-call-iptables': 0 });
    await node.start().ready();
    expect((await forwardingOf(node)).notes).toEqual([]);
    node.run(...kubeProxy.split(' '));
    const [note = ''] = (await forwardingOf(node)).notes;
    const [, command = ''] = /is 1: (.*), and a/.exec(note) ?? [];
    expect(command).toBe(
      isLoaded ? 'sysctl -w net.bridge.bridge-nf-call-iptables=1' : 'modprobe br_netfilter',
    );
    if (!isLoaded) return;
    node.run(...command.split(' '));
    expect(await forwardingOf(node)).toEqual({ settings: { [IPV4]: '1' }, notes: [] });
    expect((await reasonsOf(node)).codes).toEqual([]);
  },
  TIMEOUT_MS,
);
