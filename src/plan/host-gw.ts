/**
 * The host-gw backend: a route to each peer's subnet through the peer itself, on one layer-2 network
 * (flannel's `pkg/backend/hostgw`).
 *
 * @module
 */
import { FAMILIES } from '../model/ip.ts';
import { leaseFamily } from '../model/lease.ts';
import type { HostGwConfig } from '../model/network.ts';
import type { KernelObject } from '../model/objects.ts';
import type { Backend } from './backend.ts';
import { route } from './route.ts';

/** See {@link Backend}. */
export const hostGw: Backend<HostGwConfig> = {
  planNode: () => [],
  planPeers({ own, underlay }) {
    const families = FAMILIES.filter((family) => leaseFamily(own, family));
    return (peer) => {
      const objects: KernelObject[] = [];
      for (const family of families) {
        const theirs = leaseFamily(peer, family);
        if (theirs === undefined) continue;
        objects.push(route(theirs.subnet, { gateway: theirs.publicIp, link: underlay.name, onlink: false }));
      }
      return objects;
    };
  },
  podMtuBytes: ({ underlay }) => underlay.mtuBytes,
};
