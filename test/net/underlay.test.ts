import { expect, test } from 'bun:test';
import { allPairs, Pinger, pairsOf, pingPairs } from '../../src/cli/demo/pings.ts';
import { bootRoute } from '../../src/cli/demo/rtnl.ts';
import { parseNodeSubnets } from '../../src/cli/demo/subnet-env.ts';
import {
  buildUnderlay,
  type NodeSpace,
  UNDERLAY_LINK,
  underlayAddress,
  writeSysctls,
} from '../../src/cli/demo/topology.ts';
import { readView } from '../../src/cli/demo/view.ts';
import { FAMILIES, familyOf, parsePrefix } from '../../src/model/ip.ts';
import { eventually } from './agent-support.ts';
import { PingStream } from './ping-stream.ts';
import { addPod } from './pod-by-hand.ts';

function subnetsOf(node: NodeSpace) {
  const subnets = parseNodeSubnets(
    `FLANNEL_SUBNET=10.42.${node.number}.1/24\nFLANNEL_IPV6_SUBNET=fd42:0:0:${node.number}::1/64\nFLANNEL_MTU=1400\n`,
  );
  if (subnets === undefined) throw new Error('subnet.env does not parse');
  return subnets;
}

/** What host-gw agents would do. */
function addRoutes(nodes: readonly NodeSpace[]): void {
  for (const node of nodes) {
    writeSysctls(node.netns, { 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 });
    for (const peer of nodes) {
      if (peer === node) continue;
      for (const text of [`10.42.${peer.number}.0/24`, `fd42:0:0:${peer.number}::/64`]) {
        const dst = parsePrefix(text);
        if (dst === undefined) throw new Error(text);
        node.rtnl.add(
          bootRoute({ dst, gateway: underlayAddress(peer.number, familyOf(dst)), link: UNDERLAY_LINK }),
        );
      }
    }
  }
}

test('buildUnderlay() makes nodes that reach each other in both families', async () => {
  using underlay = await buildUnderlay({ nodes: 3, families: FAMILIES });
  for (const from of underlay.nodes) {
    for (const to of underlay.nodes) {
      for (const family of FAMILIES) {
        using pinger = new Pinger(from.netns, family);
        // Right after the bridge is made a ping now and then is not answered; why is not known.
        await eventually(async () =>
          expect(await pinger.ping(underlayAddress(to.number, family))).toBeGreaterThan(0),
        );
      }
    }
  }
});

test('buildUnderlay() gives many nodes their neighbours, since the kernel learns few', async () => {
  using underlay = await buildUnderlay({ nodes: 21, families: FAMILIES });
  const [first] = underlay.nodes;
  if (first === undefined) throw new Error('no node');
  const { objects } = readView(first.rtnl, (link) => link === UNDERLAY_LINK);
  expect(objects.filter(({ kind }) => kind === 'neighbour').length).toBe(40);
});

test('buildUnderlay() gives one family only what is asked for', async () => {
  using underlay = await buildUnderlay({ nodes: 1, families: [6] });
  const [only] = underlay.nodes;
  if (only === undefined) throw new Error('no node');
  const { objects } = readView(only.rtnl, (link) => link === UNDERLAY_LINK);
  expect(objects.map((object) => (object.kind === 'address' ? object.ip : object.kind))).toEqual([
    underlayAddress(1, 6),
  ]);
});

test('pingPairs() pings pods across nodes and counts what is lost', async () => {
  using underlay = await buildUnderlay({ nodes: 3, families: FAMILIES });
  const pods = await Promise.all(underlay.nodes.map((node) => addPod(node, subnetsOf(node))));
  addRoutes(underlay.nodes);
  const pings = await pingPairs(allPairs(pods));
  expect(pings.length).toBe(12);
  expect(pings.filter(({ roundTripMs }) => roundTripMs === undefined)).toEqual([]);

  const [one, two] = pods;
  if (one === undefined || two === undefined) throw new Error('no pods');
  const dst = parsePrefix('10.42.2.0/24');
  if (dst === undefined) throw new Error('no prefix');
  one.node.rtnl.delete(bootRoute({ dst, gateway: underlayAddress(2, 4), link: UNDERLAY_LINK }));
  const after = await pingPairs(pairsOf(one, pods));
  const lost = after.filter(({ roundTripMs }) => roundTripMs === undefined);
  expect(lost.map(({ from, to, family }) => [from.node.name, to.node.name, family])).toEqual([
    ['node-1', 'node-2', 4],
    ['node-2', 'node-1', 4],
  ]);
  for (const pod of pods) pod[Symbol.dispose]();
});

test('PingStream counts an interruption, and nothing else', async () => {
  using underlay = await buildUnderlay({ nodes: 2, families: FAMILIES });
  const [one, two] = await Promise.all(underlay.nodes.map((node) => addPod(node, subnetsOf(node))));
  if (one === undefined || two === undefined) throw new Error('no pods');
  addRoutes(underlay.nodes);
  const calm = new PingStream({ from: one, to: two, family: 6 });
  await Bun.sleep(200);
  const counted = await calm.stop();
  expect(counted.sent).toBeGreaterThan(5);
  expect(counted.lost).toBe(0);

  const disturbed = new PingStream({ from: one, to: two, family: 6 });
  await Bun.sleep(50);
  two.node.rtnl.setLink(UNDERLAY_LINK, { up: false });
  await Bun.sleep(100);
  const { sent, lost } = await disturbed.stop();
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeLessThan(sent);
  one[Symbol.dispose]();
  two[Symbol.dispose]();
});
