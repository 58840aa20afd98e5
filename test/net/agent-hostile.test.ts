import { expect, test } from 'bun:test';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { readOverlay } from './agent-overlay.ts';
import { buryLease, leaseOf, partOf, putRow, type RowValues } from './agent-store.ts';
import { eventually, expectPodsTalk, JSON_LOG, readLog, TIMEOUT_MS } from './agent-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

/** Of a peer's lease what a case spoils; the rest is sound. */
interface Wish {
  readonly subnet?: string | null;
  readonly subnet6?: string | null;
  readonly publicIp?: unknown;
  readonly publicIpv6?: unknown;
  readonly mac?: unknown;
  readonly macV6?: unknown;
  readonly vni?: unknown;
  readonly backendType?: unknown;
  /** In place of all of the above but the subnets. */
  readonly attributes?: string;
}

/** A sound lease of nobody, but for what is wished. */
function rowOf(wish: Wish): RowValues {
  const { subnet = '10.42.250.0/24', subnet6 = 'fd42:0:0:fa::/64', vni = 1 } = wish;
  const said = {
    PublicIP: wish.publicIp ?? '192.168.77.99',
    PublicIPv6: wish.publicIpv6 === undefined ? 'fd77::99' : wish.publicIpv6,
    BackendType: wish.backendType ?? 'vxlan',
    BackendData: { VNI: vni, VtepMAC: wish.mac ?? '02:00:00:00:99:04' },
    BackendV6Data: { VNI: vni, VtepMAC: wish.macV6 ?? '02:00:00:00:99:06' },
  };
  return { subnet, subnet6, attributes: wish.attributes ?? JSON.stringify(said) };
}

/** What the others of a lab hold. */
interface Scene {
  readonly own: ReturnType<typeof partsOf>;
  readonly peer: ReturnType<typeof partsOf>;
}

function partsOf(lab: Lab, node: LabNode) {
  const lease = leaseOf(lab, node);
  return { v4: partOf(lease, 4), v6: partOf(lease, 6) };
}

/** The lower half of a subnet, such as `10.42.1.0/25` of `10.42.1.0/24`. */
const halfOf = ({ base }: { readonly base: string }) => `${base}${base.includes(':') ? '/65' : '/25'}`;
/** The same network in a text that the store does not know as the same. */
const otherText = ({ base }: { readonly base: string }) => `${base.replace(/0$/, '7')}/24`;
const NO_V6 = { subnet6: null };

/** Each with what the status says of it. */
const JUNK: readonly (readonly [what: string, wish: (scene: Scene) => Wish, reason: string])[] = [
  ['a subnet outside the network', () => ({ ...NO_V6, subnet: '10.43.1.0/24' }), 'outside of the network'],
  [
    'an IPv6 subnet outside the network',
    () => ({ subnet: null, subnet6: 'fd43::/64' }),
    'outside of the network',
  ],
  ['the whole network', () => ({ ...NO_V6, subnet: '10.42.0.0/16' }), 'the whole network'],
  ['more than the network', () => ({ ...NO_V6, subnet: '0.0.0.0/0' }), 'outside of the network'],
  [
    'a subnet that is none',
    () => ({ ...NO_V6, subnet: '10.42.1.0/24; ip link delete eth0' }),
    'is not a network',
  ],
  ['a subnet of a million digits', () => ({ ...NO_V6, subnet: '1'.repeat(1e6) }), 'is not a network'],
  ['no subnet at all', () => ({ ...NO_V6, subnet: null }), 'no subnet of a family'],
  ['a part of our subnet', ({ own }) => ({ ...NO_V6, subnet: halfOf(own.v4) }), 'overlaps ours'],
  ['a part of our IPv6 subnet', ({ own }) => ({ subnet: null, subnet6: halfOf(own.v6) }), 'overlaps ours'],
  ["a part of another's subnet", ({ peer }) => ({ ...NO_V6, subnet: halfOf(peer.v4) }), "that of 'node-3'"],
  [
    "a part of another's IPv6 subnet",
    ({ peer }) => ({ subnet: null, subnet6: halfOf(peer.v6) }),
    "that of 'node-3'",
  ],
  [
    "another's subnet in other words",
    ({ peer }) => ({ ...NO_V6, subnet: otherText(peer.v4) }),
    "that of 'node-3'",
  ],
  ['half of the network', () => ({ ...NO_V6, subnet: '10.42.0.0/17' }), 'overlaps'],
  ['a multicast public address', () => ({ ...NO_V6, publicIp: '224.0.0.1' }), 'is multicast'],
  ['a multicast IPv6 address', () => ({ subnet: null, publicIpv6: 'ff02::1' }), 'is multicast'],
  ['a loopback address', () => ({ ...NO_V6, publicIp: '127.0.0.1' }), 'is loopback'],
  ['a loopback IPv6 address', () => ({ subnet: null, publicIpv6: '::1' }), 'is loopback'],
  ['the broadcast address', () => ({ ...NO_V6, publicIp: '255.255.255.255' }), 'is broadcast'],
  ['a reserved address', () => ({ ...NO_V6, publicIp: '240.0.0.1' }), 'is reserved'],
  ['an address of this network', () => ({ ...NO_V6, publicIp: '0.1.2.3' }), 'is reserved'],
  ['no public address', () => ({ ...NO_V6, publicIp: '0.0.0.0' }), 'no public address'],
  ['the unspecified IPv6 address', () => ({ subnet: null, publicIpv6: '::' }), 'is unspecified'],
  ['our own public address', ({ own }) => ({ ...NO_V6, publicIp: own.v4.publicIp }), 'is our own'],
  ['our own IPv6 address', ({ own }) => ({ subnet: null, publicIpv6: own.v6.publicIp }), 'is our own'],
  [
    'our own address, mapped',
    ({ own }) => ({ subnet: null, publicIpv6: `::ffff:${own.v4.publicIp}` }),
    'not an IPv6',
  ],
  ['an address in the pod network', () => ({ ...NO_V6, publicIp: '10.42.251.5' }), 'inside the pod network'],
  [
    'our pods as address',
    ({ own }) => ({ ...NO_V6, publicIp: own.v4.base.replace(/0$/, '1') }),
    'inside the pod network',
  ],
  [
    "another's pods as address",
    ({ peer }) => ({ subnet: null, publicIpv6: `${peer.v6.base}1` }),
    'inside the pod network',
  ],
  ['its own pods as address', () => ({ ...NO_V6, publicIp: '10.42.250.1' }), 'inside its own subnet'],
  ['an address that is no text', () => ({ ...NO_V6, publicIp: 3_232_255_233 }), 'not an IPv4'],
  ['our MAC', ({ own }) => ({ ...NO_V6, mac: own.v4.mac }), 'is our own'],
  ['our IPv6 MAC', ({ own }) => ({ subnet: null, macV6: own.v6.mac.toUpperCase() }), 'is our own'],
  ['our MAC in the other family', ({ own }) => ({ subnet: null, macV6: own.v4.mac }), 'is our own'],
  ["another's MAC", ({ peer }) => ({ ...NO_V6, mac: peer.v4.mac }), "that of 'node-3'"],
  ['a multicast MAC', () => ({ ...NO_V6, mac: '01:00:5e:00:00:01' }), 'is multicast'],
  ['the broadcast MAC', () => ({ ...NO_V6, mac: 'ff:ff:ff:ff:ff:ff' }), 'is multicast'],
  ['the zero MAC', () => ({ ...NO_V6, mac: '00:00:00:00:00:00' }), 'is zero'],
  ['a MAC that is none', () => ({ ...NO_V6, mac: 'not-a-mac' }), 'not a MAC'],
  ['a MAC with control characters', () => ({ ...NO_V6, mac: '\u001b[2J\u202e' }), '\\u001b[2J'],
  ['another VNI', () => ({ ...NO_V6, vni: 2 }), 'VNI 2 is not ours'],
  ['a VNI that is none', () => ({ ...NO_V6, vni: -1 }), "invalid 'VNI'"],
  ['a VNI that is text', () => ({ ...NO_V6, vni: '1' }), "invalid 'VNI'"],
  ['another backend', () => ({ backendType: 'host-gw' }), 'is not ours'],
  ['a backend with control characters', () => ({ backendType: 'vx\nlan' }), 'vx\\u000alan'],
  ['broken JSON', () => ({ attributes: '{"PublicIP":"192.168.77.9' }), 'are not JSON'],
  ['JSON that is no object', () => ({ attributes: '[]' }), "Backend type '' is not ours"],
  ['no attributes', () => ({ attributes: '' }), 'are not JSON'],
  [
    'attributes of a million characters',
    () => ({ attributes: `{"a":"${'x'.repeat(1e6)}"}` }),
    'longer than 4096',
  ],
  ['a thousand brackets', () => ({ attributes: '['.repeat(1_000) }), 'are not JSON'],
];

async function expectRefused(node: LabNode, name: string, reason: string): Promise<void> {
  await eventually(async () => {
    const refused = (await node.agent.status())?.refused ?? [];
    expect(refused.filter((each) => each.node === name)).toEqual([
      { node: name, reason: expect.stringContaining(reason) },
    ]);
  });
}

async function expectReady(node: LabNode): Promise<void> {
  expect((await node.agent.get('/readyz'))?.status).toBe(200);
}

/** A sound row, older than the leases of two nodes; then the three are up. */
async function labWithElder(): Promise<{ lab: Lab; pods: readonly Pod[] }> {
  const lab = await createLab({ nodes: 3 });
  await lab.node(1).start(JSON_LOG).ready();
  putRow(lab, 'elder', rowOf({}));
  for (const node of lab.nodes.slice(1)) await node.start(JSON_LOG).ready();
  await Promise.all(lab.nodes.map(({ agent }) => agent.programmed(3)));
  return { lab, pods: await lab.addPods() };
}

test(
  "junk in any field of a peer's lease is refused with its reason, and takes nothing of anybody",
  async () => {
    const { lab, pods } = await labWithElder();
    await using _ = lab;
    const node = lab.node(1);
    const scene = { own: partsOf(lab, node), peer: partsOf(lab, lab.node(3)) };
    const withElder = readOverlay(node);
    // What was sound becomes junk, is looked at, and becomes sound again.
    putRow(lab, 'elder', { subnet: null, subnet6: null, attributes: '' });
    await expectRefused(node, 'elder', 'are not JSON');
    await eventually(() => expect(readOverlay(node).routes.length).toBe(withElder.routes.length - 2));
    const before = readOverlay(node);
    for (const [what, wish, reason] of JUNK) {
      putRow(lab, 'elder', rowOf(wish(scene)));
      await expectRefused(node, 'elder', reason).catch((error: unknown) => {
        throw new Error(what, { cause: error });
      });
      expect([what, readOverlay(node)]).toEqual([what, before]);
      await expectReady(node);
    }
    await expectPodsTalk(pods);
    putRow(lab, 'elder', rowOf({}));
    await eventually(() => expect(readOverlay(node)).toEqual(withElder));
    const status = await node.agent.status();
    expect([status?.refused, status?.repairs]).toEqual([[], {}]);
  },
  TIMEOUT_MS,
);

test(
  'all junk at once, also from elder rows and in front places, is refused by an agent that starts anew too',
  async () => {
    const { lab, pods } = await labWithElder();
    await using _ = lab;
    const node = lab.node(1);
    const scene = { own: partsOf(lab, node), peer: partsOf(lab, lab.node(3)) };
    const { v4 } = scene.peer;
    buryLease(lab, { name: 'elder' });
    const count = () => readOverlay(node).routes.length;
    await eventually(() => expect(count()).toBe(4));
    const before = readOverlay(node);
    JUNK.forEach(([, wish], i) => {
      const row = rowOf(wish(scene));
      // The store itself allows a text once.
      const subnet = row.subnet === '10.42.250.0/24' ? null : row.subnet;
      if (i !== 3 && subnet !== null) putRow(lab, `junk-${i}`, { ...row, subnet, created: -i });
    });
    putRow(lab, 'junk-name \u001b[31m', rowOf({}));
    putRow(lab, 'n'.repeat(300), rowOf({ subnet: '10.42.249.0/24', subnet6: null }));
    // An elder row moves to what a younger one holds.
    putRow(lab, 'elder', rowOf({ subnet: `${v4.base}/26`, subnet6: null }));
    putRow(lab, 'twin', rowOf({ subnet: null, subnet6: 'fd42:0:0:f9::/64', macV6: v4.mac }));
    await expectRefused(node, 'twin', "that of 'node-3'");
    const refused = async () => (await node.agent.status())?.refused.map((each) => each.node).sort();
    const names = await refused();
    expect(names).toContain('junk-name \\u001b[31m');
    expect(names).toContain('n'.repeat(254));
    expect(readOverlay(node)).toEqual(before);
    await node.kill();
    await node.start(JSON_LOG).ready();
    await eventually(async () => expect(await refused()).toEqual(names));
    expect(readOverlay(node)).toEqual(before);
    await expectPodsTalk(pods);
    const warnings = readLog(node.agent).filter(({ msg }) => msg.includes('refused'));
    // A flood of junk is no flood of lines.
    expect(warnings.length).toBeLessThan(40);
  },
  TIMEOUT_MS,
);

test(
  'who comes second gets the subnet when the first holder is gone; two leases of one public address do no harm',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll(JSON_LOG);
    const [node, second, third] = [lab.node(1), lab.node(2), lab.node(3)];
    const before = readOverlay(node);
    const { v4 } = partsOf(lab, third);
    putRow(lab, 'heir', rowOf({ subnet: halfOf(v4), subnet6: null }));
    await expectRefused(node, 'heir', "overlaps that of 'node-3'");
    expect(readOverlay(node)).toEqual(before);
    await third.stop();
    buryLease(lab, third);
    await eventually(async () => {
      expect((await node.agent.status())?.refused).toEqual([]);
      expect(readOverlay(node).routes).toContainEqual(expect.objectContaining({ dst: halfOf(v4) }));
      expect(JSON.stringify(readOverlay(node))).not.toContain(v4.mac);
    });
    const withHeir = readOverlay(node);
    putRow(
      lab,
      'alias',
      rowOf({ publicIp: partsOf(lab, second).v4.publicIp, subnet6: null, mac: '02:00:00:00:99:05' }),
    );
    await eventually(() => expect(readOverlay(node).routes.length).toBe(withHeir.routes.length + 1));
    for (const kind of ['routes', 'neighbours', 'forwarding'] as const)
      for (const record of withHeir[kind]) expect(readOverlay(node)[kind]).toContainEqual(record as never);
  },
  TIMEOUT_MS,
);
