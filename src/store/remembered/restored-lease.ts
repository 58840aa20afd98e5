/**
 * Whether a remembered lease serves for what is asked for now.
 *
 * @module
 */
import { FAMILIES, type Family } from '../../model/ip.ts';
import { type Lease, type LeaseFamily, leaseFamily } from '../../model/lease.ts';
import type { LeaseRequest } from '../../model/lease-source.ts';

/** The remembered subnets with what the node says of itself today; `undefined` if a family has none. */
export function restoredLease(remembered: Lease, request: LeaseRequest): Lease | undefined {
  const { node, backendType } = request;
  if (remembered.backendType !== backendType) return undefined;
  const halves = new Map<Family, LeaseFamily>();
  for (const family of FAMILIES) {
    const wanted = family === 4 ? request.ipv4 : request.ipv6;
    const subnet = leaseFamily(remembered, family)?.subnet;
    if (wanted === undefined) continue;
    if (subnet === undefined) return undefined;
    halves.set(family, { subnet, publicIp: wanted.publicIp, vtep: wanted.vtep });
  }
  return { node, backendType, ipv4: halves.get(4), ipv6: halves.get(6) };
}

/** A lease's subnets in words. */
export function subnetsOf({ ipv4, ipv6 }: Lease): string {
  return [ipv4?.subnet, ipv6?.subnet].filter((subnet) => subnet !== undefined).join(' and ') || 'none';
}
