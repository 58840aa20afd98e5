import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { writeSysctls } from '../../src/cli/demo/topology.ts';
import type { Family } from '../../src/model/ip.ts';
import { DAMAGES, expectRepair, sceneOf } from './agent-damage.ts';
import { readOverlay } from './agent-overlay.ts';
import { leaseOf, partOf } from './agent-store.ts';
import { JSON_LOG, TIMEOUT_MS } from './agent-support.ts';
import { createLab, type Lab } from './lab.ts';

let lab: Lab;
let pods: readonly Pod[];
const times: string[] = [];

beforeAll(async () => {
  lab = await createLab({ nodes: 3 });
  // As on most machines: a device that goes down loses its IPv6 addresses.
  for (const { space } of lab.nodes)
    writeSysctls(space.netns, { 'net/ipv6/conf/default/keep_addr_on_down': 0 });
  await lab.startAll(JSON_LOG);
  pods = await lab.addPods();
});

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  console.log(`Repair times, from before the command was started:\n${times.join('\n')}`);
});

function sceneIn(family: Family) {
  const [own, peer] = [leaseOf(lab, lab.node(1)), leaseOf(lab, lab.node(2))];
  return sceneOf(family, partOf(own, family), partOf(peer, family));
}

test.each(
  DAMAGES.flatMap((damage) => [
    { family: 4 as Family, ...damage },
    { family: 6 as Family, ...damage },
  ]),
)(
  'IPv$family is repaired after: $what',
  async ({ family, what, ...damage }) => {
    const ms = await expectRepair(
      lab.node(1),
      { ...damage, commands: damage.commands(sceneIn(family)) },
      pods,
    );
    times.push(`  IPv${family} ${what}: ${ms} ms`);
  },
  TIMEOUT_MS,
);

test(
  'a foreign IPv4 address outside the pod network stays on the device',
  async () => {
    const node = lab.node(1);
    node.run('ip', 'address', 'add', '172.31.5.5/32', 'dev', 'flannel.1');
    // The repair of something else shows that the agent has looked since.
    await expectRepair(node, { repaired: /^link /, commands: 'ip link set flannel.1 mtu 1299' }, pods);
    const locals = readOverlay(node).addresses.map(({ local }) => local);
    expect(locals).toContain('172.31.5.5');
    node.run('ip', 'address', 'delete', '172.31.5.5/32', 'dev', 'flannel.1');
  },
  TIMEOUT_MS,
);
