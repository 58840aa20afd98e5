import { expect, test } from 'bun:test';
import { inNetns } from '../../ffi/netns.ts';
import { FAMILIES, type Family } from '../../src/model/ip.ts';
import { deviceName, hostGwOverlay, vxlanOverlay } from './agent-expected.ts';
import { linkIndex, type Overlay, readOverlay } from './agent-overlay.ts';
import { type LeasePart, leaseOf, partOf, readLeases } from './agent-store.ts';
import { eventually, expectOverlay, expectPodsTalk, TIMEOUT_MS } from './agent-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';
import { PingStream } from './ping-stream.ts';

const MARK = '198.51.100.1';

/** A peer that died while flanneld was away. */
const DEAD: Readonly<Record<Family, LeasePart>> = {
  4: { subnet: '10.42.250.0/24', base: '10.42.250.0', publicIp: '192.168.77.250', mac: '02:00:00:00:00:d4' },
  6: { subnet: 'fd42:0:0:fa::/64', base: 'fd42:0:0:fa::', publicIp: 'fd77::250', mac: '02:00:00:00:00:d6' },
};

function peersOf(lab: Lab, node: LabNode, family: Family): LeasePart[] {
  const peers = readLeases(lab).filter((lease) => lease.node !== node.name);
  return [...peers.map((peer) => partOf(peer, family)), DEAD[family]];
}

/** Makes by hand what flanneld leaves behind (its `vxlan/device.go` and `vxlan/vxlan_network.go`). */
function leaveVxlan(lab: Lab, node: LabNode, macOf: (part: LeasePart) => string): void {
  const ip = (text: string) => node.run('ip', ...text.split(' '));
  for (const family of FAMILIES) {
    const own = partOf(leaseOf(lab, node), family);
    const name = deviceName(family);
    ip(`link delete ${name}`);
    ip(
      `link add ${name} txqueuelen 0 address ${macOf(own)} mtu ${family === 4 ? 1450 : 1430} type vxlan id 1 ` +
        `local ${own.publicIp} dev eth0 srcport 0 0 dstport 8472 nolearning ttl 0 udpcsum`,
    );
    ip(`address add ${own.base}/${family === 4 ? 32 : 128} dev ${name} scope global`);
    ip(`link set ${name} up`);
    for (const { subnet, base, mac, publicIp } of peersOf(lab, node, family)) {
      ip(`neighbour replace ${base} lladdr ${mac} dev ${name} nud permanent`);
      node.run(...`bridge fdb replace ${mac} dev ${name} dst ${publicIp} self permanent`.split(' '));
      ip(`route replace ${subnet} via ${base} dev ${name} onlink proto boot`);
    }
  }
}

/** What flanneld's host-gw leaves behind (its `backend/route_network.go`). */
function leaveHostGw(lab: Lab, node: LabNode): void {
  for (const family of FAMILIES) {
    for (const { subnet, publicIp } of peersOf(lab, node, family)) {
      node.run(...`ip route replace ${subnet} via ${publicIp} dev eth0 proto boot`.split(' '));
    }
  }
}

/** Everything that `ip monitor` tells from now on, until it is asked for it. */
async function monitor(node: LabNode): Promise<() => Promise<string[]>> {
  const command = ['ip', 'monitor', 'link', 'address', 'route', 'neigh'];
  const child = inNetns(node.space.netns, () => Bun.spawn(command, { stdin: 'ignore' }));
  let text = '';
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const chunk of child.stdout) text += decoder.decode(chunk, { stream: true });
  })();
  await eventually(() => {
    node.run('ip', 'route', 'replace', 'blackhole', MARK);
    node.run('ip', 'route', 'delete', 'blackhole', MARK);
    expect(text).toContain(MARK);
  });
  return async () => {
    child.kill();
    await reading;
    return text.split('\n').filter((line) => !line.includes(MARK));
  };
}

function indexesOf(node: LabNode): number[] {
  return FAMILIES.map((family) => linkIndex(node, deviceName(family)));
}

test(
  'what flanneld has left is taken over in place: nothing is deleted but the dead, and no packet is lost',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll();
    const pods = await lab.addPods();
    const node = lab.node(1);
    await node.stop();
    leaveVxlan(lab, node, ({ mac }) => mac);
    await expectPodsTalk(pods);
    const before = indexesOf(node);
    const [from, to] = pods;
    if (from === undefined || to === undefined) throw new Error('no pods');
    const streams = FAMILIES.map((family) => new PingStream({ from, to, family }));
    const told = await monitor(node);
    await node.start().ready();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    const counts = await Promise.all(streams.map((stream) => stream.stop()));
    expect(counts.map(({ lost }) => lost)).toEqual([0, 0]);
    expect(indexesOf(node)).toEqual(before);
    const deleted = (await told()).filter((line) => line.startsWith('Deleted'));
    const isDead = (line: string) =>
      Object.values(DEAD).some(({ base, mac }) => line.includes(base) || line.includes(mac));
    expect(deleted.filter((line) => !isDead(line))).toEqual([]);
    expect(deleted.filter((line) => / via /.test(line)).length).toBe(2);
  },
  TIMEOUT_MS,
);

test(
  'a device of flanneld with another MAC is kept, with the MAC that peers have been told',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const pods = await lab.addPods();
    const node = lab.node(1);
    await node.stop();
    leaveVxlan(lab, node, () => '02:00:00:cc:cc:01');
    const before = indexesOf(node);
    await node.start().ready();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    expect(indexesOf(node)).toEqual(before);
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test(
  "host-gw routes of flanneld become ours where a lease wants the same, and others' are left",
  async () => {
    await using lab = await createLab({ nodes: 3, backend: { Type: 'host-gw' } });
    await lab.startAll();
    const node = lab.node(1);
    await node.stop();
    leaveHostGw(lab, node);
    const told = await monitor(node);
    await node.start().ready();
    const overlay = (): Overlay => {
      const { routes, ...rest } = readOverlay(node);
      return { ...rest, routes: routes.filter(({ protocol }) => protocol !== 'boot') };
    };
    await eventually(() => expect(overlay()).toEqual(hostGwOverlay(lab, node)));
    expect((await told()).filter((line) => line.startsWith('Deleted'))).toEqual([]);
    const boot = readOverlay(node).routes.filter(({ protocol }) => protocol === 'boot');
    expect(boot.map(({ dst }) => dst).sort()).toEqual([DEAD[4].subnet, DEAD[6].subnet]);
  },
  TIMEOUT_MS,
);
