/**
 * The node's own network as the choice of the underlay interface sees it.
 *
 * @module
 */
import type { Ip, Prefix } from '../model/ip.ts';

/** A link of the node. */
export interface HostLink {
  readonly index: number;
  readonly name: string;
  readonly mtuBytes: number;
  readonly up: boolean;
  readonly loopback: boolean;
  /** Not made by software, as a VLAN's, a bridge or the end of a pod's are. */
  readonly hardware: boolean;
}

/** An address of the node. */
export interface HostAddress {
  readonly index: number;
  readonly ip: Ip;
  /** Its preferred lifetime is over: not for new connections. */
  readonly deprecated: boolean;
  /** Set for good, not by DHCP or router advertisement. */
  readonly permanent: boolean;
  /** A privacy address (IPv6) or a secondary one (IPv4): the kernel has one bit for both. */
  readonly temporary: boolean;
}

/** A unicast route of table main. */
export interface HostRoute {
  readonly dst: Prefix;
  /** Whether what it leads to is on the link itself: no gateway of any family, one next hop. */
  readonly direct: boolean;
  /** 0 if it has several next hops. */
  readonly index: number;
  readonly metric: number;
  /** Whether a router has told of it. */
  readonly advertised: boolean;
}

/** What the kernel answers when asked for the way to an address. */
export interface HostPath {
  readonly index: number;
  readonly source: Ip | undefined;
}

/** Everything at one moment. */
export interface HostSnapshot {
  /** By index, ascending. */
  readonly links: readonly HostLink[];
  readonly addresses: readonly HostAddress[];
  readonly routes: readonly HostRoute[];
  /** The way to `--iface-can-reach`, if that is set and there is one. */
  readonly reach: HostPath | undefined;
}
