/** `--ip-blackhole-route`: `ip` is the witness of the route, and of which route a packet takes. */
import { expect, test } from 'bun:test';
import { FAMILIES, type Family } from '../../src/model/ip.ts';
import { leaseOf, partOf } from './agent-store.ts';
import { eventually, repairsOf, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp } from './cleanup-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

const BLACKHOLE = { arguments: ['--ip-blackhole-route'] };

function subnetOf(lab: Lab, node: LabNode, family: Family): string {
  return partOf(leaseOf(lab, node), family).subnet;
}

/** The address of the first pod, and the bridge's. */
function addressesOf(subnet: string): { readonly pod: string; readonly bridge: string } {
  const [base = '', length] = subnet.split('/');
  const first = base.includes(':') ? base : base.replace(/0$/, '');
  return { pod: `${first}5`, bridge: `${first}1/${length}` };
}

function blackholes(node: LabNode): string[] {
  const lines = FAMILIES.flatMap((family) =>
    node.run('ip', `-${family}`, 'route', 'show', 'type', 'blackhole').split('\n'),
  );
  return lines.map((line) => line.trim().replace(/ (dev lo|pref medium)/g, '')).filter(Boolean);
}

function expected(lab: Lab, node: LabNode): string[] {
  return FAMILIES.map((family) => `blackhole ${subnetOf(lab, node, family)} proto 102 metric 2147483647`);
}

test(
  'a packet to a pod that is not there goes nowhere, one to the bridge of the pods there; the route is kept until the flag goes',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    await node.start(BLACKHOLE).ready();
    expect(blackholes(node)).toEqual(expected(lab, node));
    const targets = FAMILIES.map((family) => addressesOf(subnetOf(lab, node, family)));
    for (const { pod } of targets) expect(() => node.run('ip', 'route', 'get', pod)).toThrow();
    node.run('ip', 'link', 'add', 'cni0', 'type', 'bridge');
    node.run('ip', 'link', 'set', 'cni0', 'up');
    for (const { bridge } of targets)
      node.run('ip', 'address', 'add', bridge, 'dev', 'cni0', ...(bridge.includes(':') ? ['nodad'] : []));
    for (const { pod } of targets)
      await eventually(() => expect(node.run('ip', 'route', 'get', pod)).toContain('dev cni0'));
    for (const family of FAMILIES) node.run('ip', `-${family}`, 'route', 'flush', 'type', 'blackhole');
    await eventually(() => expect(blackholes(node)).toEqual(expected(lab, node)));
    expect(await repairsOf(node)).toBe(2);
    await node.stop();
    expect(blackholes(node)).toEqual(expected(lab, node));
    await node.start().ready();
    expect(blackholes(node)).toEqual([]);
    for (const { pod } of targets) expect(node.run('ip', 'route', 'get', pod)).toContain('dev cni0');
  },
  TIMEOUT_MS,
);

test(
  "flanneld's own blackhole and those of others stay beside ours, and cleanup takes ours",
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    await node.start().ready();
    const subnet = subnetOf(lab, node, 4);
    await node.stop();
    node.run('ip', 'route', 'add', 'blackhole', subnet);
    node.run('ip', 'route', 'add', 'blackhole', '192.0.2.0/24', 'proto', '102');
    const others = blackholes(node);
    await node.start(BLACKHOLE).ready();
    expect(blackholes(node).sort()).toEqual([...others, ...expected(lab, node)].sort());
    expect(await repairsOf(node)).toBe(0);
    await node.kill();
    const dry = cleanUp(lab, node, { flags: ['--dry-run'] });
    expect(dry.lines).toContain(`ip route del blackhole ${subnet} proto 102 metric 2147483647`);
    expect(cleanUp(lab, node).status).toBe(0);
    expect(blackholes(node)).toEqual(others);
  },
  TIMEOUT_MS,
);
