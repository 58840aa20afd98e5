/**
 * What has the node forward the packets of its pods.
 *
 * @module
 */
import { FAMILIES } from '../model/ip.ts';
import { leaseFamily } from '../model/lease.ts';
import { forwardingSetting, type SysctlObject } from '../model/objects.ts';
import type { Inputs } from './backend.ts';

/**
 * The settings, in the order of their making. Once the node forwards, the kernel drops what routers have told it, its
 * default route above all, and hears them no more, unless `accept_ra` is 2. Where it is 0 the kernel did not listen before
 * either: networkd, NetworkManager and dhcpcd listen themselves.
 */
export function planForwarding({ own, underlay }: Pick<Inputs, 'own' | 'underlay'>): SysctlObject[] {
  return FAMILIES.flatMap((family) => {
    if (leaseFamily(own, family) === undefined) return [];
    const listening = family === 6 ? underlay.routerLinks.map(listeningSetting) : [];
    return [...listening, forwardingSetting(family)];
  });
}

function listeningSetting(link: string): SysctlObject {
  return { kind: 'sysctl', name: `net/ipv6/conf/${link}/accept_ra`, value: '2', from: '1', optional: true };
}
