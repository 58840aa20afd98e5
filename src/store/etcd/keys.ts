/**
 * The keys of leases, which are flannel's: `<prefix>/subnets/10.5.34.0-24`, and in dual stack
 * `<prefix>/subnets/10.5.34.0-24&fc00::-64`.
 *
 * Leases of IPv6 alone are kept elsewhere, `<prefix>/ipv6-subnets/fc00::-64`: flannel cannot tell its nodes apart
 * there, and a flanneld that found such a key among the others would take it for the end of its watch.
 *
 * @module
 */
import { type Prefix, parsePrefix, prefixBase, prefixLength } from '../../model/ip.ts';
import type { NetworkConfig } from '../../model/network.ts';
import { NODE_NAME_LENGTH_MAX } from '../../model/node-name.ts';
import { fail } from '../../model/result.ts';
import type { RawLease } from '../accept.ts';
import { parseAttributes } from '../attributes.ts';
import type { KeyValue } from './messages.ts';

/** A subnet of each family. */
export interface Subnets {
  readonly ipv4: Prefix | undefined;
  readonly ipv6: Prefix | undefined;
}

/** What all leases' keys begin with, the slash included: without it, other keys would be among them. */
export function leaseDirectory(prefix: string, network: NetworkConfig): string {
  return network.ipv4 === undefined ? `${prefix}/ipv6-subnets/` : `${prefix}/subnets/`;
}

/** The last part of a lease's key. */
export function leaseName({ ipv4, ipv6 }: Subnets): string {
  return [ipv4, ipv6].flatMap((subnet) => (subnet === undefined ? [] : [dashed(subnet)])).join('&');
}

/** flannel's rule, from the beginning on, and either family alone. */
const NAME = /^(?:(\d+\.\d+\.\d+\.\d+)-(\d+)(?:&([a-f\d:]+)-(\d+))?|([a-f\d:]+)-(\d+))$/;

/** What a name says in the form of prefixes, or `undefined` if it is not the name of a lease. */
export function readName(
  name: string,
): { readonly subnet: string | undefined; readonly subnetV6: string | undefined } | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, v4, length4, v6InBoth, length6InBoth, v6 = v6InBoth, length6 = length6InBoth] = match;
  return {
    subnet: v4 === undefined ? undefined : `${v4}/${length4}`,
    subnetV6: v6 === undefined ? undefined : `${v6}/${length6}`,
  };
}

/** The subnets that a name stands for: what is not a network is none. */
export function subnetsOf(name: string): Subnets {
  const { subnet, subnetV6 } = readName(name) ?? {};
  return {
    ipv4: subnet === undefined ? undefined : parsePrefix(subnet),
    ipv6: subnetV6 === undefined ? undefined : parsePrefix(subnetV6),
  };
}

/** A lease as etcd holds it; its name is what its key says. */
export function rawLease(name: string, { value, createRevision }: KeyValue): RawLease {
  const subnets = readName(name);
  // What is too long for a name is refused; it should not fill the status.
  const node = name.length > NODE_NAME_LENGTH_MAX ? `${name.slice(0, NODE_NAME_LENGTH_MAX)}...` : name;
  return {
    node,
    order: createRevision,
    subnet: subnets?.subnet,
    subnetV6: subnets?.subnetV6,
    attributes: subnets === undefined ? fail('Its key names no subnet') : parseAttributes(value),
  };
}

function dashed(subnet: Prefix): string {
  return `${prefixBase(subnet)}-${prefixLength(subnet)}`;
}
