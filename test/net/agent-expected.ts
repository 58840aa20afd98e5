/**
 * What flannel's rules make of leases, in the words of `ip` and `bridge`: the expectation that the kernel is
 * held against. Written from flannel's behaviour, not from our planners.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../src/model/ip.ts';
import { type AddressRecord, type LinkRecord, type Overlay, sorted } from './agent-overlay.ts';
import { type LeasePart, type LeaseRecord, leaseOf, readLeases } from './agent-store.ts';
import type { Lab, LabNode } from './lab.ts';
import type { WitnessRecord } from './witness.ts';

/** How the VXLAN devices are configured. */
export interface DeviceOptions {
  readonly vni?: number;
  readonly port?: number;
  readonly mtu?: number;
  readonly mtuV6?: number;
  readonly learning?: boolean;
  readonly gbp?: boolean;
  readonly txChecksum?: 'on' | 'off';
  /** Names of the peers that are reached without the tunnel. */
  readonly direct?: readonly string[];
}

/** Our mark on routes; flanneld's is `boot`. */
const PROTOCOL = '102';

/** What a node of a VXLAN network has to show. */
export function vxlanOverlay(lab: Lab, node: LabNode, options: DeviceOptions = {}): Overlay {
  const own = leaseOf(lab, node);
  const peers = readLeases(lab).filter((lease) => lease.node !== node.name);
  const overlay = {
    ...empty(),
    links: [...own.parts].map(([family, part]) => device(family, part, options)),
  };
  for (const [family, { base }] of own.parts) {
    const link = deviceName(family, options);
    const label = family === 4 ? link : undefined;
    overlay.addresses.push({ link, local: base, prefixlen: family === 4 ? 32 : 128, scope: 'global', label });
    for (const peer of peers) {
      const part = peer.parts.get(family);
      if (part === undefined) continue;
      if (options.direct?.includes(peer.node)) overlay.routes.push(plainRoute(family, part));
      else addTunnel(overlay, { family, part, link });
    }
  }
  return sortedOverlay(overlay);
}

/** What a node of a host-gw network has to show. */
export function hostGwOverlay(lab: Lab, node: LabNode): Overlay {
  const peers = readLeases(lab).filter((lease) => lease.node !== node.name);
  const routes = peers.flatMap(({ parts }) => [...parts].map(([family, part]) => plainRoute(family, part)));
  return sortedOverlay({ ...empty(), routes });
}

/** The text of subnet.env as flanneld writes it for this lease. */
export function subnetEnvText(lease: LeaseRecord, mtu: number, masq = false): string {
  const lines: string[] = [];
  const [v4, v6] = [lease.parts.get(4), lease.parts.get(6)];
  if (v4) lines.push('FLANNEL_NETWORK=10.42.0.0/16', `FLANNEL_SUBNET=${v4.base.replace(/0$/, '1')}/24`);
  if (v6) lines.push('FLANNEL_IPV6_NETWORK=fd42::/48', `FLANNEL_IPV6_SUBNET=${v6.base}1/64`);
  return `${[...lines, `FLANNEL_MTU=${mtu}`, `FLANNEL_IPMASQ=${masq}`].join('\n')}\n`;
}

/** The text of the node's subnet.env. */
export function readSubnetEnv(node: LabNode): string {
  return readFileSync(join(node.agent.directory, 'subnet.env'), 'utf8');
}

/** `flannel.1` or `flannel-v6.1`. */
export function deviceName(family: Family, { vni = 1 }: DeviceOptions = {}): string {
  return family === 4 ? `flannel.${vni}` : `flannel-v6.${vni}`;
}

interface Lists {
  readonly links: LinkRecord[];
  readonly addresses: AddressRecord[];
  readonly routes: WitnessRecord[];
  readonly neighbours: unknown[];
  readonly forwarding: unknown[];
}

function empty(): Lists {
  return { links: [], addresses: [], routes: [], neighbours: [], forwarding: [] };
}

function sortedOverlay(lists: Lists): Overlay {
  return {
    links: sorted(lists.links),
    addresses: sorted(lists.addresses),
    routes: sorted(lists.routes),
    neighbours: sorted(lists.neighbours),
    forwarding: sorted(lists.forwarding),
  };
}

function device(family: Family, { mac, publicIp }: LeasePart, options: DeviceOptions): LinkRecord {
  const { vni = 1, port = 8472, mtu = 1450, mtuV6 = 1430, learning = false, gbp = false } = options;
  return {
    name: deviceName(family, options),
    kind: 'vxlan',
    mac,
    mtu: family === 4 ? mtu : mtuV6,
    up: true,
    queue: 0,
    vxlan: {
      id: vni,
      [family === 4 ? 'local' : 'local6']: publicIp,
      link: 'eth0',
      port,
      learning,
      // 0 is printed as `auto` in text.
      ttl: 0,
      ageing: 300,
      udp_csum: true,
      udp_zero_csum6_tx: false,
      udp_zero_csum6_rx: false,
      ...(gbp ? { gbp } : {}),
    },
    txChecksum: options.txChecksum ?? 'off',
    acceptRa: '0',
  };
}

function addTunnel(
  { routes, neighbours, forwarding }: Lists,
  { family, part, link }: { family: Family; part: LeasePart; link: string },
): void {
  const { subnet, base, mac, publicIp } = part;
  neighbours.push({ dst: base, dev: link, lladdr: mac, state: ['PERMANENT'] });
  forwarding.push({ mac, ifname: link, dst: publicIp, flags: ['self'], state: 'permanent' });
  routes.push(routeRecord(family, { dst: subnet, gateway: base, dev: link, flags: ['onlink'] }));
}

function plainRoute(family: Family, { subnet, publicIp }: LeasePart): WitnessRecord {
  return routeRecord(family, { dst: subnet, gateway: publicIp, dev: 'eth0', flags: [] });
}

interface Hop {
  readonly dst: string;
  readonly gateway: string;
  readonly dev: string;
  readonly flags: readonly string[];
}

/** The order of members is that of iproute2. */
function routeRecord(family: Family, { dst, gateway, dev, flags }: Hop): WitnessRecord {
  const common = { type: 'unicast', dst, gateway, dev, protocol: PROTOCOL, scope: 'global' };
  return family === 4 ? { ...common, flags } : { ...common, metric: 1024, flags, pref: 'medium' };
}
