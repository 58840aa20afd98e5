import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAMILIES } from '../../src/model/ip.ts';
import { DAMAGES, type Damage, expectRepair, sceneOf } from './agent-damage.ts';
import { deviceName, hostGwOverlay, vxlanOverlay } from './agent-expected.ts';
import { readMetrics } from './agent-metrics.ts';
import { type Overlay, readOverlay } from './agent-overlay.ts';
import { leaseOf, partOf } from './agent-store.ts';
import { eventually, expectOverlay, expectPodsTalk, JSON_LOG, readLog, TIMEOUT_MS } from './agent-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

/** More than the kernel keeps for one listener: an announcement takes a few hundred bytes of a MiB. */
const FLOOD_ROUTES = 10_000;

/** Does every damage in both families, whatever the agent makes of it meanwhile. */
function damageAll(lab: Lab, node: LabNode): void {
  const other = lab.node(node.name === 'node-1' ? 2 : 1);
  for (const family of FAMILIES) {
    const [own, peer] = [leaseOf(lab, node), leaseOf(lab, other)];
    const scene = sceneOf(family, partOf(own, family), partOf(peer, family));
    for (const { commands } of DAMAGES) {
      for (const command of commands(scene).split('\n')) {
        // What the one before has taken away cannot be taken again.
        node.run('sh', '-c', `${command} 2>/dev/null || true`);
      }
    }
  }
}

async function expectWhole(lab: Lab): Promise<void> {
  for (const node of lab.nodes) {
    await expectOverlay(node, () => vxlanOverlay(lab, node));
  }
}

test(
  'any number of damages one upon the other is repaired',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    for (const node of lab.nodes.slice(0, 2)) damageAll(lab, node);
    await expectWhole(lab);
    await expectPodsTalk(pods);
    for (const { agent } of lab.nodes) await agent.ready();
  },
  TIMEOUT_MS,
);

test(
  'what happens while the agent is held is repaired when it goes on',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    const node = lab.node(1);
    process.kill(node.agent.pid, 'SIGSTOP');
    damageAll(lab, node);
    process.kill(node.agent.pid, 'SIGCONT');
    await expectWhole(lab);
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test(
  'when more happens than can be listened to, a look at everything finds the damage',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll({ arguments: [...JSON_LOG.arguments, '-v=1'] });
    const pods = await lab.addPods();
    const node = lab.node(1);
    const flood = join(lab.directory, 'flood');
    const routes = Array.from({ length: FLOOD_ROUTES }, (_, i) => `blackhole 10.100.${i >> 8}.${i & 255}`);
    const lines = routes.flatMap((route) => [`route add ${route}`, `route delete ${route}`]);
    writeFileSync(flood, `${lines.join('\n')}\n`);
    const { mac } = partOf(leaseOf(lab, lab.node(2)), 4);
    process.kill(node.agent.pid, 'SIGSTOP');
    node.run('ip', '-batch', flood);
    // Nothing but the forwarding entry: neither a link nor a route would tell of it afterwards.
    node.run('bridge', 'fdb', 'delete', mac, 'dev', 'flannel.1');
    process.kill(node.agent.pid, 'SIGCONT');
    await expectWhole(lab);
    await expectPodsTalk(pods);
    await eventually(() => {
      const causes = readLog(node.agent).map(({ cause }) => `${cause}`);
      expect(causes.filter((cause) => cause.includes('events were lost')).length).toBeGreaterThan(0);
    });
    const losses = (await readMetrics(node)).get('flannelette_netlink_event_losses_total');
    expect(losses).toBeGreaterThan(0);
    // It listens again.
    node.run('ip', 'link', 'delete', deviceName(4));
    await expectWhole(lab);
  },
  TIMEOUT_MS,
);

const HOST_GW_DAMAGES: readonly Damage[] = [
  {
    what: 'route deleted',
    repaired: /^route .*missing/,
    commands: ({ peer }) => `ip route delete ${peer.subnet}`,
  },
  {
    what: 'route given another gateway',
    repaired: /^route .*changed/,
    commands: ({ peer, family }) =>
      `ip route replace ${peer.subnet} via ${family === 4 ? '192.168.77.99' : 'fd77::99'} dev eth0`,
  },
  {
    what: 'route given another protocol',
    repaired: /^route .*changed/,
    commands: ({ peer }) => `ip route replace ${peer.subnet} via ${peer.publicIp} dev eth0 proto static`,
  },
  {
    what: 'route made a blackhole',
    repaired: /^route .*(changed|missing)/,
    commands: ({ peer }) => `ip route replace blackhole ${peer.subnet}`,
  },
  {
    what: 'stray route of our protocol',
    repaired: /^route .*no lease/,
    commands: ({ peer, family }) =>
      `ip route add ${family === 4 ? '10.42.250.0/24' : 'fd42:0:0:fa::/64'} via ${peer.publicIp} dev eth0 proto 102`,
  },
  {
    what: 'all routes flushed',
    repaired: /^route .*missing/,
    commands: ({ family }) => `ip -${family} route flush proto 102`,
  },
];

test(
  'host-gw repairs its routes',
  async () => {
    await using lab = await createLab({ nodes: 3, backend: { Type: 'host-gw' } });
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    const node = lab.node(1);
    for (const { what, repaired, commands } of HOST_GW_DAMAGES) {
      for (const family of FAMILIES) {
        const [own, peer] = [leaseOf(lab, node), leaseOf(lab, lab.node(2))];
        const scene = sceneOf(family, partOf(own, family), partOf(peer, family));
        const ms = await expectRepair(node, { repaired, commands: commands(scene) }, pods);
        console.log(`host-gw IPv${family} ${what}: ${ms} ms`);
        expect<Overlay>(readOverlay(node)).toEqual(hostGwOverlay(lab, node));
      }
    }
  },
  TIMEOUT_MS,
);
