/**
 * The interface that carries traffic between nodes.
 *
 * @module
 */
import type { Family, Ip } from './ip.ts';

/** The chosen interface and what it looked like when it was read. */
export interface Underlay {
  readonly name: string;
  readonly index: number;
  readonly mtuBytes: number;
  /** The interface's own address of each family, if it has one. */
  readonly ipv4: Ip | undefined;
  readonly ipv6: Ip | undefined;
  /** What other nodes reach this one by: the configured public address, else the interface's own. */
  readonly publicIpv4: Ip | undefined;
  readonly publicIpv6: Ip | undefined;
  /** In words, for the log and the status: why this interface and not another. */
  readonly why: string;
  /** The link by which the kernel reaches an address without a gateway (main table, longest prefix), if it does. */
  readonly onLink: (ip: Ip) => string | undefined;
  /** This or other links over which routers give the node its IPv6 default route, or may while it has none; by name. */
  readonly routerLinks: readonly string[];
  /** Another number means that {@link onLink} has other answers for the peers. */
  readonly onLinkVersion: number;
}

/** The interface's own address of a family. */
export function underlayIp(underlay: Underlay, family: Family): Ip | undefined {
  return family === 4 ? underlay.ipv4 : underlay.ipv6;
}

/** The address of a family that other nodes use. */
export function underlayPublicIp(underlay: Underlay, family: Family): Ip | undefined {
  return family === 4 ? underlay.publicIpv4 : underlay.publicIpv6;
}
