/**
 * What flanneld leaves on a node when it ends, made by hand with `ip` and `bridge`.
 *
 * @module
 */
import { FAMILIES, type Family } from '../../src/model/ip.ts';
import { deviceName } from './agent-expected.ts';
import { type LeasePart, leaseOf, partOf, readLeases } from './agent-store.ts';
import type { Lab, LabNode } from './lab.ts';

/** A peer that died while flanneld was away. */
export const DEAD_PEER: Readonly<Record<Family, LeasePart>> = {
  4: { subnet: '10.42.250.0/24', base: '10.42.250.0', publicIp: '192.168.77.250', mac: '02:00:00:00:00:d4' },
  6: { subnet: 'fd42:0:0:fa::/64', base: 'fd42:0:0:fa::', publicIp: 'fd77::250', mac: '02:00:00:00:00:d6' },
};

function peersOf(lab: Lab, node: LabNode, family: Family): LeasePart[] {
  const peers = readLeases(lab).filter((lease) => lease.node !== node.name);
  return [...peers.map((peer) => partOf(peer, family)), DEAD_PEER[family]];
}

/** Makes by hand what flanneld leaves behind (its `vxlan/device.go` and `vxlan/vxlan_network.go`). */
export function leaveVxlan(lab: Lab, node: LabNode, macOf: (part: LeasePart) => string): void {
  const ip = (text: string) => node.run('ip', ...text.split(' '));
  const present = node.ip('link').map(({ ifname }) => ifname);
  for (const family of FAMILIES) {
    const own = partOf(leaseOf(lab, node), family);
    const name = deviceName(family);
    if (present.includes(name)) ip(`link delete ${name}`);
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
export function leaveHostGw(lab: Lab, node: LabNode): void {
  for (const family of FAMILIES) {
    for (const { subnet, publicIp } of peersOf(lab, node, family)) {
      node.run(...`ip route replace ${subnet} via ${publicIp} dev eth0 proto boot`.split(' '));
    }
  }
}
