/**
 * All that the kernel of a node has for pods, as `ip`, `bridge` and `ethtool` print it.
 *
 * @module
 */
import * as v from 'valibot';
import type { LabNode } from './lab.ts';
import type { WitnessRecord } from './witness.ts';

const linkSchema = v.object({
  ifname: v.string(),
  mtu: v.number(),
  address: v.string(),
  flags: v.array(v.string()),
  txqlen: v.optional(v.number(), 0),
  linkinfo: v.optional(
    v.object({ info_kind: v.string(), info_data: v.optional(v.record(v.string(), v.unknown()), {}) }),
    { info_kind: '' },
  ),
});

const addressSchema = v.object({
  ifname: v.string(),
  addr_info: v.array(
    v.object({
      local: v.optional(v.string()),
      prefixlen: v.number(),
      scope: v.string(),
      label: v.optional(v.string()),
    }),
  ),
});

/** What `ip -d link` says of a VXLAN device, as far as flannel decides it (its `vxlan/device.go`). */
const VXLAN_FIELDS = [
  'id',
  'local',
  'local6',
  'link',
  'port',
  'learning',
  'ttl',
  'ageing',
  'udp_csum',
  'udp_zero_csum6_tx',
  'udp_zero_csum6_rx',
  'gbp',
];

/** One link. */
export interface LinkRecord {
  readonly name: string;
  readonly kind: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly queue: number;
  readonly vxlan: Readonly<Record<string, unknown>>;
  /** `off` or `on`, as `ethtool -k` has it. */
  readonly txChecksum: string;
  readonly acceptRa: string;
}

/** One address. */
export interface AddressRecord {
  readonly link: string;
  readonly local: string | undefined;
  readonly prefixlen: number;
  readonly scope: string;
  /** IPv4 addresses have one: the name of their link. */
  readonly label: string | undefined;
}

/** Everything; each list is sorted by its text. */
export interface Overlay {
  readonly links: readonly LinkRecord[];
  /** Without link-local ones, which the kernel makes. */
  readonly addresses: readonly AddressRecord[];
  /** All routes of table main but the kernel's own. */
  readonly routes: readonly WitnessRecord[];
  readonly neighbours: readonly unknown[];
  readonly forwarding: readonly unknown[];
}

/** Reads the devices whose names begin with `flannel`, what stands on them, and all routes. */
export function readOverlay(node: LabNode): Overlay {
  const isOurs = (name: unknown) => typeof name === 'string' && name.startsWith('flannel');
  return {
    links: sorted(
      readLinks(node)
        .filter(({ ifname }) => isOurs(ifname))
        .map((link) => linkRecord(node, link)),
    ),
    addresses: sorted(readAddresses(node).filter(({ link }) => isOurs(link))),
    routes: sorted(
      [...node.ip('-4', 'route'), ...node.ip('-6', 'route')].filter(({ protocol }) => protocol !== 'kernel'),
    ),
    neighbours: sorted(
      [...node.ip('-4', 'neigh'), ...node.ip('-6', 'neigh')].filter(({ dev }) => isOurs(dev)),
    ),
    forwarding: sorted(node.bridge('fdb').filter(({ ifname }) => isOurs(ifname))),
  };
}

/** The interface's index by name: a device that was made again has another. */
export function linkIndex(node: LabNode, name: string): number {
  const [link] = node.ip('link', 'show', name);
  return v.parse(v.object({ ifindex: v.number() }), link).ifindex;
}

/** In an order that depends on nothing but the content. */
export function sorted<T>(records: readonly T[]): T[] {
  return records
    .map((record) => ({ record, text: JSON.stringify(record) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1))
    .map(({ record }) => record);
}

type Link = v.InferOutput<typeof linkSchema>;

function readLinks(node: LabNode): Link[] {
  return v.parse(v.array(linkSchema), node.ip('link'));
}

function readAddresses(node: LabNode): AddressRecord[] {
  return v
    .parse(v.array(addressSchema), node.ip('address'))
    .flatMap(({ ifname, addr_info }) =>
      addr_info
        .filter(({ scope }) => scope !== 'link')
        .map(({ local, prefixlen, scope, label }) => ({ link: ifname, local, prefixlen, scope, label })),
    );
}

function linkRecord(node: LabNode, { ifname, mtu, address, flags, txqlen, linkinfo }: Link): LinkRecord {
  const { info_kind: kind, info_data: data } = linkinfo;
  const known = VXLAN_FIELDS.filter((field) => field in data).map((field) => [field, data[field]]);
  return {
    name: ifname,
    kind,
    mac: address,
    mtu,
    up: flags.includes('UP'),
    queue: txqlen,
    vxlan: Object.fromEntries(known),
    txChecksum: /tx-checksum-ip-generic: (\w+)/.exec(node.run('ethtool', '-k', ifname))?.[1] ?? '',
    acceptRa: node.run('cat', `/proc/sys/net/ipv6/conf/${ifname}/accept_ra`).trim(),
  };
}
