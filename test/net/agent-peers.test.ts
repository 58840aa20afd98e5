import { expect, test } from 'bun:test';
import type { LinkedObject } from '../../src/cli/demo/rtnl.ts';
import { readView } from '../../src/cli/demo/view.ts';
import { parsePrefix, prefixesOverlap } from '../../src/model/ip.ts';
import { DAMAGES, sceneOf } from './agent-damage.ts';
import { hostGwOverlay, vxlanOverlay } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import { buryLease, leaseOf, partOf, readLeases, rewriteAttributes } from './agent-store.ts';
import {
  changeNetConf,
  eventually,
  expectOverlay,
  expectPodsTalk,
  expectTrouble,
  JSON_LOG,
  readLog,
  TIMEOUT_MS,
} from './agent-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

async function expectOverlays(lab: Lab, nodes: readonly LabNode[]): Promise<void> {
  for (const node of nodes) {
    await expectOverlay(node, () => vxlanOverlay(lab, node));
  }
}

test(
  'agents that start at once hold subnets that do not overlap',
  async () => {
    await using lab = await createLab({ nodes: 8 });
    await lab.startAll();
    for (const family of [4, 6] as const) {
      const subnets = readLeases(lab).map((lease) => parsePrefix(partOf(lease, family).subnet));
      const known = subnets.filter((subnet) => subnet !== undefined);
      expect(known.length).toBe(8);
      known.forEach((subnet, i) => {
        expect(known.slice(i + 1).filter((other) => prefixesOverlap(subnet, other))).toEqual([]);
      });
    }
    await expectOverlays(lab, lab.nodes);
  },
  TIMEOUT_MS,
);

/** Milliseconds until the tunnel of the node is as wanted; looked at every millisecond. */
async function untilTunnel(
  node: LabNode,
  isWanted: (objects: readonly LinkedObject[]) => boolean,
): Promise<number> {
  const startMs = performance.now();
  const isTunnel = (link: string) => link.startsWith('flannel');
  const look = () => readView(node.space.rtnl, isTunnel).objects.filter(({ link }) => isTunnel(link));
  while (!isWanted(look())) {
    if (performance.now() > startMs + 15_000) throw new Error(`The kernel of ${node.name} does not follow`);
    await Bun.sleep(1);
  }
  return Math.round((performance.now() - startMs) * 10) / 10;
}

const NEW_MAC = '02:00:00:bb:bb:04';

const hasRoutes = (count: number) => (objects: readonly LinkedObject[]) =>
  objects.filter(({ kind }) => kind === 'route').length === count;

test(
  'peers come, go and come back while an agent runs',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    const [node, second, third] = [lab.node(1), lab.node(2), lab.node(3)];
    for (const each of [node, second]) await each.start(JSON_LOG).ready();
    await lab.settled();
    await expectOverlays(lab, [node, second]);
    third.start();
    await third.agent.ready();
    await lab.settled();
    await expectOverlays(lab, lab.nodes);
    await expectPodsTalk(await lab.addPods());

    await third.stop();
    const { mac } = partOf(leaseOf(lab, third), 4);
    rewriteAttributes(lab, third, (text) => text.replace(mac, NEW_MAC));
    const isNew = (object: LinkedObject) => object.kind === 'fdb' && object.mac === NEW_MAC;
    const changedMs = await untilTunnel(node, (objects) => objects.some(isNew));
    buryLease(lab, third);
    const goneMs = await untilTunnel(node, hasRoutes(2));
    console.log(
      `Another node's kernel followed a changed lease in ${changedMs} ms, a lost one in ${goneMs} ms`,
    );
    await expectOverlays(lab, [node, second]);
    third.start();
    await third.agent.ready();
    await lab.settled();
    await expectOverlays(lab, lab.nodes);
    const told = readLog(node.agent).filter(({ msg }) => msg.startsWith('Peer '));
    expect(told.map(({ msg, node: name }) => `${msg} ${name}`).slice(-2)).toEqual([
      'Peer gone node-3',
      'Peer lease node-3',
    ]);
  },
  TIMEOUT_MS,
);

test(
  'one half of a lease that makes no sense holds up neither the other half nor other peers',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll(JSON_LOG);
    const [node, bad] = [lab.node(1), lab.node(2)];
    const pods = await lab.addPods();
    await bad.stop();
    const good = vxlanOverlay(lab, node);
    const { base, mac } = partOf(leaseOf(lab, bad), 4);
    rewriteAttributes(lab, bad, (text) => text.replace(mac, 'no-mac'));
    await eventually(() => {
      const { routes, neighbours, forwarding } = readOverlay(node);
      const isGone = (record: unknown) => ![base, mac].some((text) => JSON.stringify(record).includes(text));
      expect(routes).toEqual(good.routes.filter(isGone));
      expect(neighbours).toEqual(good.neighbours.filter(isGone));
      expect(forwarding).toEqual(good.forwarding.filter(isGone));
    });
    const status = await node.agent.status();
    expect(status?.refused).toEqual([{ node: 'node-2', reason: expect.stringContaining('no-mac') }]);
    expect(readLog(node.agent).filter(({ msg }) => msg === 'Lease refused').length).toBe(1);
    const [first, , last] = pods;
    await expectPodsTalk([first, last].filter((pod) => pod !== undefined));
    await bad.start().ready();
    await lab.settled();
    await expectOverlays(lab, lab.nodes);
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test(
  'a peer of another backend is passed over',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll();
    const [node, other] = [lab.node(1), lab.node(2)];
    await other.stop();
    rewriteAttributes(lab, other, (text) => text.replace('"BackendType":"vxlan"', '"BackendType":"host-gw"'));
    await untilTunnel(node, hasRoutes(2));
    await node.agent.ready();
    const { base } = partOf(leaseOf(lab, other), 4);
    expect(JSON.stringify(readOverlay(node))).not.toContain(base);
  },
  TIMEOUT_MS,
);

test(
  'a peer that fails in one family is tried again in that alone, until it works',
  async () => {
    await using lab = await createLab({ nodes: 3, backend: { Type: 'host-gw' } });
    const [node, odd] = [lab.node(1), lab.node(2)];
    for (const each of lab.nodes) {
      each.start(each === odd ? { arguments: ['--public-ipv6', 'fd99::2'] } : JSON_LOG);
    }
    await expectTrouble(node, 'object-failed', 'via fd99::2 dev eth0: EHOSTUNREACH');
    const failing = partOf(leaseOf(lab, odd), 6).subnet;
    const expected = () => {
      const { routes, ...rest } = hostGwOverlay(lab, node);
      return { ...rest, routes: routes.filter(({ dst }) => dst !== failing) };
    };
    await expectOverlay(node, () => expected());
    // Some attempts later nothing else has been touched.
    await Bun.sleep(500);
    expect((await node.agent.status())?.repairs).toEqual({});
    node.run('ip', 'route', 'delete', partOf(leaseOf(lab, odd), 4).subnet);
    await expectOverlay(node, () => expected());
    await eventually(async () => expect((await node.agent.status())?.repairs).toEqual({ route: 1 }));
    expect((await node.agent.status())?.peers).toContainEqual(
      expect.objectContaining({ node: odd.name, state: 'failed' }),
    );
    node.run('ip', 'route', 'add', 'fd99::/64', 'dev', 'eth0', 'proto', 'kernel');
    await node.agent.ready();
    expect(readOverlay(node)).toEqual(hostGwOverlay(lab, node));
  },
  TIMEOUT_MS,
);

/** What other programs of the node have made. */
const FOREIGN = [
  // A router already: with what the kernel keeps for one, the anycast address of each of its subnets.
  'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1',
  'ip address add 10.97.0.1/24 dev eth0',
  'ip address add fd97::1/64 dev eth0 nodad preferred_lft 0',
  'ip route add 10.99.0.0/16 via 192.168.77.2 dev eth0',
  'ip route add 10.42.200.0/24 via 192.168.77.2 dev eth0 proto static',
  'ip route add fd42:0:0:c8::/64 via fd77::2 dev eth0 proto static',
  'ip route add blackhole 10.98.0.0/16 proto bird',
  'ip route add 10.42.202.0/24 via 192.168.77.2 dev eth0 table 100',
  'ip rule add from 10.97.0.0/24 table 100',
  'ip neighbour add 10.97.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent',
  'ip link add vx99 type vxlan id 99 dev eth0 local 192.168.77.1 dstport 4790',
  'ip address add 10.42.201.1/24 dev vx99',
  'ip link set vx99 up',
  'ip neighbour add 10.42.201.9 lladdr 02:00:00:00:00:0a dev vx99 nud permanent',
  'bridge fdb append 02:00:00:00:00:0a dev vx99 dst 192.168.77.2 self permanent',
  'ip route add 10.96.0.0/16 via 10.42.201.9 dev vx99 onlink',
  'ip link add cni0 type bridge',
  'ip link set cni0 up',
  'nft add table inet foreign',
  'nft add chain inet foreign forward { type filter hook forward priority 0 ; }',
  'nft add rule inet foreign forward ip daddr 10.42.0.0/16 accept',
] as const;

const LOOKS = [
  'ip -o link',
  'ip -o -d link show vx99',
  'ip -o address',
  'ip route show table all',
  'ip -6 route show table all',
  'ip rule',
  'ip neighbour show nud permanent',
  'bridge fdb',
  'nft list ruleset',
] as const;

test.each([
  { type: 'vxlan', expected: vxlanOverlay },
  { type: 'host-gw', expected: hostGwOverlay },
])(
  '$type leaves what others have made as it is, while it runs, repairs and stops',
  async ({ type }) => {
    await using lab = await createLab({ nodes: 3, backend: { Type: type } });
    changeNetConf(lab, { SubnetMax: '10.42.100.0', IPv6SubnetMax: 'fd42:0:0:64::' });
    const node = lab.node(1);
    for (const command of FOREIGN) node.run(...command.split(' '));
    const isForeign = (line: string) => !/flannel|proto 102/.test(line);
    // Whether the kernel is still looking for duplicates is its own business.
    const print = (command: string) =>
      node
        .run(...command.split(' '))
        .replaceAll(' tentative', '')
        .replace(/^table ip6? flannel-.*?^}\n/gms, '');
    const look = () => LOOKS.map((command) => print(command).split('\n').filter(isForeign));
    const before = look();
    await lab.startAll();
    expect(look()).toEqual(before);
    if (type === 'vxlan') {
      const [own, peer] = [leaseOf(lab, node), leaseOf(lab, lab.node(2))];
      const scene = sceneOf(4, partOf(own, 4), partOf(peer, 4));
      for (const { commands } of DAMAGES.filter(({ isAsleep }) => isAsleep !== true)) {
        for (const command of commands(scene).split('\n')) node.run(...command.split(' '));
        await eventually(() => expect(readOverlay(node).links).toEqual(vxlanOverlay(lab, node).links));
      }
      await eventually(() => expect(look()).toEqual(before));
    }
    buryLease(lab, lab.node(3));
    await node.stop();
    await node.start().ready();
    await node.stop();
    expect(look()).toEqual(before);
  },
  TIMEOUT_MS,
);
