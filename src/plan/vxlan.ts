/**
 * The VXLAN backend: a device per family, and for each peer a neighbour, a forwarding entry and a route
 * (flannel's `pkg/backend/vxlan`).
 *
 * @module
 */
import { addressBits, FAMILIES, type Family, familyOf, prefixBase } from '../model/ip.ts';
import { type Lease, leaseFamily } from '../model/lease.ts';
import { type VxlanConfig, vxlanDeviceName } from '../model/network.ts';
import type { KernelObject } from '../model/objects.ts';
import { underlayIp } from '../model/underlay.ts';
import type { Backend, Inputs } from './backend.ts';
import { route } from './route.ts';

/** Outer Ethernet, IP, UDP and VXLAN headers over IPv4; flannel takes it for both families. */
const ENCAPSULATION_BYTES = 50;
/** The same over IPv6: the kernel holds the device to it. */
const ENCAPSULATION_V6_BYTES = 70;
/** What `ethtool` calls the feature that loses packets on some network cards (flannel#1279). */
const TX_CHECKSUM = 'tx-checksum-ip-generic';

/** The largest packet, in bytes, that a family's device can carry. */
export function vxlanMtuBytes(config: VxlanConfig, linkMtuBytes: number, family: Family): number {
  const asked = (config.mtuBytes ?? linkMtuBytes) - ENCAPSULATION_BYTES;
  const limit = linkMtuBytes - (family === 4 ? ENCAPSULATION_BYTES : ENCAPSULATION_V6_BYTES);
  return Math.min(asked, limit);
}

/** See {@link Backend}. */
export const vxlan: Backend<VxlanConfig> = {
  planNode: (inputs, config) => FAMILIES.flatMap((family) => planDevice(inputs, config, family)),
  planPeers(inputs, config) {
    // What is the same for all peers is made once, the devices' names above all: there may be thousands.
    const halves = FAMILIES.filter((family) => leaseFamily(inputs.own, family)).map((family) => ({
      inputs,
      config,
      family,
      link: vxlanDeviceName(config.vni, family),
    }));
    return (peer) => {
      const objects: KernelObject[] = [];
      for (const half of halves) planPeerFamily(peer, half, objects);
      return objects;
    };
  },
  podMtuBytes: ({ own, underlay }, config) =>
    Math.min(
      ...FAMILIES.filter((family) => leaseFamily(own, family)).map((family) =>
        vxlanMtuBytes(config, underlay.mtuBytes, family),
      ),
    ),
};

function planDevice({ own, underlay }: Inputs, config: VxlanConfig, family: Family): KernelObject[] {
  const ours = leaseFamily(own, family);
  const local = underlayIp(underlay, family);
  if (ours?.vtep === undefined || local === undefined) return [];
  const name = vxlanDeviceName(config.vni, family);
  const { vni, port, learning, gbp } = config;
  return [
    {
      kind: 'link',
      name,
      mtuBytes: vxlanMtuBytes(config, underlay.mtuBytes, family),
      mac: ours.vtep.mac,
      device: { type: 'vxlan', vni, port, local, parent: underlay.name, learning, gbp },
    },
    { kind: 'sysctl', name: `net/ipv6/conf/${name}/accept_ra`, value: '0', optional: true },
    ...(family === 6 ? [ipv6Enabled(name)] : []),
    { kind: 'offload', link: name, feature: TX_CHECKSUM, on: config.txChecksumOffload },
    { kind: 'address', link: name, ip: prefixBase(ours.subnet), length: addressBits(family) },
    { kind: 'up', link: name },
  ];
}

/** Distributions switch IPv6 off for new devices; this one was asked for by name. */
function ipv6Enabled(link: string): KernelObject {
  return { kind: 'sysctl', name: `net/ipv6/conf/${link}/disable_ipv6`, value: '0', optional: true };
}

/** What all peers of one family have in common. */
interface Half {
  readonly inputs: Inputs;
  readonly config: VxlanConfig;
  readonly family: Family;
  readonly link: string;
}

function planPeerFamily(peer: Lease, { inputs, config, family, link }: Half, objects: KernelObject[]): void {
  const theirs = leaseFamily(peer, family);
  if (theirs === undefined) return;
  const { subnet, publicIp, vtep } = theirs;
  const direct = config.directRouting ? inputs.underlay.onLink(publicIp) : undefined;
  if (direct !== undefined) {
    objects.push(route(subnet, { gateway: publicIp, link: direct, onlink: false }));
    return;
  }
  if (vtep === undefined || familyOf(publicIp) !== family) return;
  const base = prefixBase(subnet);
  objects.push(
    { kind: 'neighbour', link, ip: base, mac: vtep.mac },
    { kind: 'fdb', link, mac: vtep.mac, dst: publicIp },
    route(subnet, { gateway: base, link, onlink: true }),
  );
}
