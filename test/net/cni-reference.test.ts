/**
 * What our plugin leaves beside what the reference's bridge and host-local leave of the same configuration: every field that
 * `ip` and `bridge` show, in the pod and on the node, and each difference with its reason.
 *
 * @module
 */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { join } from 'node:path';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { callPlugin, pathOf, REFERENCE } from './cni-plugin.ts';
import { CniStage, DELEGATE, SUBNET_ENV } from './cni-stage.ts';
import { run, witnessRecords, witnessValue } from './witness.ts';

let stage: CniStage;

beforeEach(() => {
  stage = new CniStage();
});

afterEach(() => stage[Symbol.dispose]());

const SETTLED_MS = 2500;

/** Fields that may differ, by the end of their path, and why. */
const EXPLAINED: readonly (readonly [field: RegExp, why: string])[] = [
  [/\.(ifindex|link_index|link_netnsid|stable_secret)$/, 'numbers that the kernel counts'],
  [/\.(\w+_timer|gc_timer|preferred_life_time|expires|used|updated)$/, 'time that passes'],
  [/\.(bridge_id|root_id|designated_bridge|designated_root)$/, 'they follow from the MAC of the bridge'],
  [/\.(topology_change|topology_change_detected|mcast_router)$/, 'what a bridge does in its first seconds'],
  [
    /^(link|address)\.\w+\.txqlen$/,
    'the reference asks for a queue of no length where we leave the default; such a device has none (noqueue)',
  ],
  [
    /\.addr_info\.[^.]+\.nodad$/,
    'we say so of the address, the reference of the interface; both skip the wait',
  ],
  [/^setting\.ipv6\.conf\.eth0\.ndisc_notify$/, 'neighbours hear of our pods by ND, too, not by ARP alone'],
];

/** What else may differ for a pod without IPv6 addresses. */
const EXPLAINED_V4: typeof EXPLAINED = [
  [
    /^setting\.ipv6\.conf\.eth0\.accept_dad$/,
    'of IPv6 we touch nothing then: the link-local address, which nobody asked for, has its second of waiting',
  ],
];

/** What else may differ where the bridge has no address. */
const EXPLAINED_WITHOUT_GATEWAY: typeof EXPLAINED = [
  [
    /^(link|address)\.(VETH|cni0)\.address$|^forwarding\.(VETH|cni0) MAC of (VETH|cni0)\./,
    "our bridge has a MAC of its own; the reference's takes over that of a port, and another as ports come and go",
  ],
];

/** What tools show of a namespace, each value under its path. */
function fieldsOf(netns: Netns, beside: Netns): Map<string, string> {
  const links = [netns, beside].flatMap((each) => witnessRecords(run(each, ['ip', '-j', 'link'])));
  const name = nameIn(links.map(({ ifname, address }) => [String(ifname), String(address)] as const));
  const fields = new Map<string, string>();
  const show = (title: string, command: string) => {
    const value = witnessValue(name(run(netns, ['sh', '-c', command])) || '[]');
    for (const [path, leaf] of leavesOf(title, value)) fields.set(path, leaf);
  };
  show('link', 'ip -d -j link');
  show('address', 'ip -j address');
  show('port', 'bridge -d -j link');
  show('forwarding', 'bridge -j fdb');
  for (const family of ['4', '6']) show(`route${family}`, `ip -${family} -d -j route show table all`);
  const settings = [
    'ipv4.ip_forward',
    'ipv4.conf.all.rp_filter',
    'ipv4.conf.eth0.arp_notify',
    'ipv4.conf.eth0.rp_filter',
    'ipv6.conf.all.forwarding',
    'ipv6.conf.eth0.accept_dad',
    'ipv6.conf.eth0.disable_ipv6',
    'ipv6.conf.eth0.ndisc_notify',
    'ipv6.conf.cni0.accept_dad',
    'ipv6.conf.cni0.disable_ipv6',
  ];
  for (const setting of settings) {
    fields.set(`setting.${setting}`, run(netns, ['sh', '-c', `sysctl -n net.${setting} 2>&1 || :`]).trim());
  }
  return fields;
}

/** Replaces what is drawn or derived (names of veths, MACs, link-local addresses) by whose it is. */
function nameIn(links: readonly (readonly [ifname: string, mac: string])[]): (text: string) => string {
  return (text) => {
    let named = text;
    for (const [ifname, mac] of links) {
      if (!mac.startsWith('00:00:00')) named = named.replaceAll(mac, `MAC of ${ifname}`);
    }
    return named
      .replaceAll(/veth[0-9a-f]+/g, 'VETH')
      .replaceAll(/fe80::[0-9a-f:]*[0-9a-f]/g, 'LINK-LOCAL')
      .replaceAll(/33:33:ff(:[0-9a-f]{2}){3}/g, 'SOLICITED-NODE');
  };
}

/** Records by what names them, lists by the order of their text: neither depends on who came first. */
function* leavesOf(path: string, value: unknown): Generator<readonly [path: string, leaf: string]> {
  if (Array.isArray(value)) {
    const texts = value.map((each: unknown) => [keyOf(each), each] as const);
    const seen = new Map<string, number>();
    for (const [key, each] of texts.sort(([a], [b]) => (a < b ? -1 : 1))) {
      const count = (seen.get(key) ?? 0) + 1;
      seen.set(key, count);
      yield* leavesOf(`${path}.${key}${count > 1 ? `#${count}` : ''}`, each);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) yield* leavesOf(`${path}.${key}`, each);
  } else yield [path, JSON.stringify(value)];
}

function keyOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const fields: Record<string, unknown> = { ...value };
  const { ifname, dst, mac, local, dev, table, type, metric } = fields;
  return ifname === undefined
    ? [dst, mac, local, dev ?? '', table ?? '', type ?? '', metric ?? ''].filter(Boolean).join(' ')
    : [ifname, mac].filter(Boolean).join(' ');
}

/** The fields that differ without a reason. */
function unexplained(
  ours: Map<string, string>,
  theirs: Map<string, string>,
  explained: typeof EXPLAINED,
): string[] {
  const paths = new Set([...ours.keys(), ...theirs.keys()]);
  return [...paths].flatMap((path) => {
    const [a, b] = [ours.get(path), theirs.get(path)];
    if (a === b || explained.some(([field]) => field.test(path))) return [];
    return [`${path}: ours ${a}, the reference's ${b}`];
  });
}

interface Configuration {
  readonly delegate: object;
  readonly subnets?: string;
  /** Besides what always may differ. */
  readonly explained?: typeof EXPLAINED;
}

const V4_ONLY = SUBNET_ENV.split('\n')
  .filter((line) => !line.includes('IPV6'))
  .join('\n');
const CONFIGURATIONS: readonly (readonly [string, Configuration])[] = [
  ["K3s' own", { delegate: DELEGATE }],
  ['IPv4 alone', { delegate: DELEGATE, subnets: V4_ONLY, explained: EXPLAINED_V4 }],
  ['of no default gateway', { delegate: { hairpinMode: false } }],
  ['promiscuous, with an MTU of its own', { delegate: { promiscMode: true, mtu: 1300 } }],
  ['of no gateway at all', { delegate: { isGateway: false }, explained: EXPLAINED_WITHOUT_GATEWAY }],
];

/** The configuration as flannel's plugin gives it to the reference's bridge. */
function referenceConfig({ delegate, subnets = SUBNET_ENV }: Configuration): object {
  const has6 = subnets.includes('IPV6');
  return {
    cniVersion: '1.0.0',
    name: 'cbr0',
    type: 'bridge',
    mtu: 1450,
    ipMasq: false,
    isGateway: true,
    ...delegate,
    ipam: {
      type: 'host-local',
      dataDir: join(stage.path, 'reference'),
      ranges: [[{ subnet: '10.42.1.0/24' }], ...(has6 ? [[{ subnet: 'fd00:42:1::/64' }]] : [])],
      routes: [{ dst: '10.42.0.0/16' }, ...(has6 ? [{ dst: 'fd00:42::/48' }] : [])],
    },
  };
}

test.each([...CONFIGURATIONS])('a configuration %s leaves the same', async (_, configuration) => {
  using other = createNetns();
  if (configuration.subnets !== undefined) stage.writeSubnets(configuration.subnets);
  const conf = stage.config(configuration.delegate);
  const call = (verb: string, netns: Netns) =>
    inNetns(other, () =>
      callPlugin({
        program: join(REFERENCE, 'bridge'),
        verb,
        netns: pathOf(netns),
        config: referenceConfig(configuration),
      }),
    );
  const explained = [...EXPLAINED, ...(configuration.explained ?? [])];
  const [mine, theirs] = [stage.newPod(), stage.newPod()];
  const expectSame = () => {
    const { node } = stage;
    expect(unexplained(fieldsOf(mine, node), fieldsOf(theirs, other), explained)).toEqual([]);
    expect(unexplained(fieldsOf(node, mine), fieldsOf(other, theirs), explained)).toEqual([]);
  };
  const [ours, reference] = [stage.call('ADD', pathOf(mine), { conf }), call('ADD', theirs)];
  expect(reference.status).toBe(0);
  // Names of veths, MACs and the path of the namespace; ours follow from the container and from the address.
  const plain = (told: unknown) =>
    JSON.parse(
      JSON.stringify(told)
        .replaceAll(/veth[0-9a-f]+|([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'X')
        .replaceAll(/\/proc\/\d+\/fd\/\d+/g, 'NETNS'),
    );
  expect(plain(ours.told)).toEqual(plain(reference.told));
  // What the kernel does by itself when links come up is done by then; the reference's gateway waits for its double.
  await Bun.sleep(SETTLED_MS);
  expectSame();
  const files = (path: string) =>
    run(stage.node, ['sh', '-c', `cd ${path}/cbr0 && ls && tail -n +1 [0-9]* last*`]);
  expect(files(stage.books)).toEqual(files(join(stage.path, 'reference')));
  expect([stage.call('DEL', pathOf(mine), { conf }).status, call('DEL', theirs).status]).toEqual([0, 0]);
  await Bun.sleep(SETTLED_MS);
  expectSame();
});
