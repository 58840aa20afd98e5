/**
 * What a node asks its store for.
 *
 * @module
 */
import type { Family, Prefix } from '../model/ip.ts';
import { type Lease, leaseFamily } from '../model/lease.ts';
import type { LeaseRequest, LeaseRequestFamily } from '../model/lease-source.ts';
import { type NetworkConfig, networkFamily } from '../model/network.ts';
import { type Underlay, underlayIp, underlayPublicIp } from '../model/underlay.ts';
import type { Identity } from './identity.ts';

/** The subnets that the node had before. */
export interface PreviousSubnets {
  readonly ipv4: Prefix | undefined;
  readonly ipv6: Prefix | undefined;
}

/** What a request is made of. */
export interface LeaseRequestParts {
  readonly node: string;
  readonly network: NetworkConfig;
  readonly identity: Identity;
  readonly underlay: Underlay;
  /** The lease that the node has now: its pods have addresses of it. */
  readonly held: Lease | undefined;
  /** What subnet.env said before this start. */
  readonly previous: PreviousSubnets;
}

/** The request for every enabled family that the interface has an address of. */
export function leaseRequest(parts: LeaseRequestParts): LeaseRequest {
  const { node, network } = parts;
  return {
    node,
    backendType: network.backend.type,
    ipv4: requestFamily(parts, 4),
    ipv6: requestFamily(parts, 6),
  };
}

function requestFamily(parts: LeaseRequestParts, family: Family): LeaseRequestFamily | undefined {
  const { network, identity, underlay, held, previous } = parts;
  const { backend } = network;
  const publicIp = underlayPublicIp(underlay, family);
  if (networkFamily(network, family) === undefined || publicIp === undefined) return undefined;
  if (underlayIp(underlay, family) === undefined) return undefined;
  const mac = family === 4 ? identity.macIpv4 : identity.macIpv6;
  const vtep = backend.type === 'vxlan' ? { vni: backend.vni, mac } : undefined;
  const before = family === 4 ? previous.ipv4 : previous.ipv6;
  return { publicIp, vtep, previous: (held && leaseFamily(held, family)?.subnet) ?? before };
}
