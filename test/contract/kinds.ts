/**
 * Every kind of object, made, changed and removed.
 *
 * @module
 */
import type { Family } from '../../src/model/ip.ts';
import {
  type AddressObject,
  type FdbObject,
  type KernelObject,
  type LinkObject,
  type NeighbourObject,
  ROUTE_PROTOCOL,
  type RouteObject,
} from '../../src/model/objects.ts';
import { planBlackholes } from '../../src/plan/blackhole.ts';
import type { Difference } from '../../src/reconcile/diff.ts';
import { ip, leaseOf, mac, macOf, prefix, vxlanLink } from '../sim/samples.ts';

/** What an object is changed into, and how that has to be done. */
export interface ChangeCase {
  readonly what: string;
  readonly to: KernelObject;
  readonly verb: Difference['verb'];
}

/** One object. */
export interface KindCase {
  readonly name: string;
  /** What it stands on. */
  readonly before: readonly KernelObject[];
  readonly object: KernelObject;
  readonly changes: readonly ChangeCase[];
  /** Whether the object can be removed; what cannot is left as it is without an error. */
  readonly removable: boolean;
}

/** A device that is up, with what its peers' entries need. */
export function upLink(family: Family): KernelObject[] {
  const link = vxlanLink(family);
  return [link, { kind: 'up', link: link.name }];
}

/** The own address of the device. */
export function ownAddress(family: Family): AddressObject {
  return family === 4
    ? { kind: 'address', link: 'flannel.1', ip: ip('10.42.1.0'), length: 32 }
    : { kind: 'address', link: 'flannel-v6.1', ip: ip('fd42:0:0:1::'), length: 128 };
}

/** The entries of peer `n`. */
export function peerNeighbour(n: number, family: Family): NeighbourObject {
  const base = family === 4 ? ip(`10.42.${n}.0`) : ip(`fd42:0:0:${n}::`);
  return { kind: 'neighbour', link: vxlanLink(family).name, ip: base, mac: macOf(n, family) };
}

export function peerFdb(n: number, family: Family): FdbObject {
  const dst = family === 4 ? ip(`192.168.0.${n}`) : ip(`fd99::${n}`);
  return { kind: 'fdb', link: vxlanLink(family).name, mac: macOf(n, family), dst };
}

export function tunnelRoute(n: number, family: Family): RouteObject {
  const dst = family === 4 ? prefix(`10.42.${n}.0/24`) : prefix(`fd42:0:0:${n}::/64`);
  const gateway = family === 4 ? ip(`10.42.${n}.0`) : ip(`fd42:0:0:${n}::`);
  const link = vxlanLink(family).name;
  return { kind: 'route', dst, gateway, link, onlink: true, protocol: ROUTE_PROTOCOL, metric: undefined };
}

export function directRoute(n: number, family: Family): RouteObject {
  const gateway = family === 4 ? ip(`192.168.0.${n}`) : ip(`fd99::${n}`);
  return { ...tunnelRoute(n, family), gateway, link: 'eth0', onlink: false };
}

/** The route that catches what is sent to pods of this node that are not there. */
export function blackhole(family: Family): RouteObject {
  const [route] = planBlackholes(leaseOf(1, { families: [family] }));
  if (route === undefined) throw new Error('No route is planned');
  return route;
}

/** A second underlay. */
export const OTHER_LINK: LinkObject = {
  kind: 'link',
  name: 'other0',
  mtuBytes: 1400,
  mac: mac('02:00:00:00:99:02'),
  device: { type: 'other', name: 'ifb' },
};

function linkCase(family: Family): KindCase {
  const local = family === 4 ? ip('192.168.0.9') : ip('fd99::9');
  const change = (what: string, to: LinkObject, verb: Difference['verb']): ChangeCase => ({ what, to, verb });
  return {
    name: `IPv${family} VXLAN device`,
    before: [],
    object: vxlanLink(family),
    removable: true,
    changes: [
      change('MTU', vxlanLink(family, { mtuBytes: 1300 }), 'replace'),
      change('MAC', vxlanLink(family, { mac: macOf(77, family) }), 'replace'),
      change('local address', vxlanLink(family, { device: { local } }), 'replace'),
      change(
        'underlay',
        vxlanLink(family, { mtuBytes: 1300, device: { parent: OTHER_LINK.name } }),
        'replace',
      ),
      change('learning', vxlanLink(family, { device: { learning: true } }), 'replace'),
      change(
        'MTU, MAC and learning',
        vxlanLink(family, { mtuBytes: 1290, mac: macOf(78, family), device: { learning: true } }),
        'replace',
      ),
      change('VNI', vxlanLink(family, { device: { vni: 2 } }), 'recreate'),
      change('port', vxlanLink(family, { device: { port: 4789 } }), 'recreate'),
      change('group policy', vxlanLink(family, { device: { gbp: true } }), 'recreate'),
    ],
  };
}

function entryCases(family: Family): KindCase[] {
  const before = upLink(family);
  const neighbour = peerNeighbour(2, family);
  const fdb = peerFdb(2, family);
  const tunnel = tunnelRoute(2, family);
  const direct = directRoute(2, family);
  return [
    { name: `IPv${family} address`, before, object: ownAddress(family), changes: [], removable: true },
    {
      name: `IPv${family} neighbour`,
      before,
      object: neighbour,
      changes: [{ what: 'MAC', to: { ...neighbour, mac: macOf(3, family) }, verb: 'replace' }],
      removable: true,
    },
    {
      name: `IPv${family} forwarding entry`,
      before,
      object: fdb,
      changes: [{ what: 'node', to: { ...fdb, dst: peerFdb(3, family).dst }, verb: 'replace' }],
      removable: true,
    },
    {
      name: `IPv${family} blackhole route`,
      before: [],
      object: blackhole(family),
      changes: [],
      removable: true,
    },
    {
      name: `IPv${family} route through the tunnel`,
      before,
      object: tunnel,
      changes: [
        { what: 'gateway', to: { ...tunnel, gateway: tunnelRoute(3, family).gateway }, verb: 'replace' },
        { what: 'link', to: direct, verb: 'replace' },
      ],
      removable: true,
    },
    {
      name: `IPv${family} route through the peer`,
      before,
      object: direct,
      changes: [
        { what: 'gateway', to: { ...direct, gateway: directRoute(3, family).gateway }, verb: 'replace' },
        { what: 'link', to: tunnel, verb: 'replace' },
        { what: 'onlink', to: { ...direct, onlink: true }, verb: 'replace' },
      ],
      removable: true,
    },
  ];
}

/** All kinds; files are written below `directory`. */
export function kindCases(directory: string): KindCase[] {
  const before = upLink(4);
  const sysctl = {
    kind: 'sysctl',
    name: 'net/ipv6/conf/flannel.1/accept_ra',
    value: '0',
    optional: false,
  } as const;
  const offload = {
    kind: 'offload',
    link: 'flannel.1',
    feature: 'tx-checksum-ip-generic',
    on: false,
  } as const;
  const file = { kind: 'file', path: `${directory}/sub/subnet.env`, text: 'A=1\n', mode: 0o644 } as const;
  return [
    ...([4, 6] as const).flatMap((family) => [linkCase(family), ...entryCases(family)]),
    {
      name: 'up state',
      before: [vxlanLink(4)],
      object: { kind: 'up', link: 'flannel.1' },
      changes: [],
      removable: false,
    },
    {
      name: 'kernel setting',
      before,
      object: sysctl,
      changes: [{ what: 'value', to: { ...sysctl, value: '2' }, verb: 'replace' }],
      removable: false,
    },
    {
      name: 'link feature',
      before,
      object: offload,
      changes: [{ what: 'state', to: { ...offload, on: true }, verb: 'replace' }],
      removable: false,
    },
    {
      name: 'file',
      before: [],
      object: file,
      changes: [{ what: 'content', to: { ...file, text: 'A=2\nB=3\n' }, verb: 'replace' }],
      removable: false,
    },
  ];
}
