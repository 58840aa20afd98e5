/**
 * What a CNI plugin takes from subnet.env: the node's subnets and the MTU of its pods.
 *
 * @module
 */
import { readSubnetEnv } from '../../config/subnet-env.ts';
import type { Family, Prefix } from '../../model/ip.ts';

/** The node's part of the pod network as its agent wrote it. */
export interface NodeSubnets {
  readonly subnets: ReadonlyMap<Family, Prefix>;
  readonly mtuBytes: number;
}

/** Reads the text of subnet.env; `undefined` if it names no subnet or no MTU. */
export function parseNodeSubnets(text: string): NodeSubnets | undefined {
  const { ipv4, ipv6 } = readSubnetEnv(text);
  const subnets = new Map<Family, Prefix>();
  if (ipv4.subnet !== undefined) subnets.set(4, ipv4.subnet);
  if (ipv6.subnet !== undefined) subnets.set(6, ipv6.subnet);
  const mtu = /^FLANNEL_MTU=(\d+)$/m.exec(text)?.[1];
  return subnets.size > 0 && mtu !== undefined ? { subnets, mtuBytes: Number(mtu) } : undefined;
}
