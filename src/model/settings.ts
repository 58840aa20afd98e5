/**
 * The command line and environment, after parsing: flanneld's options and ours.
 *
 * @module
 */
import type { Ip } from './ip.ts';

/** How the underlay interface is to be found; see flannel's `LookupExtIface`. */
export interface InterfaceChoice {
  /** Interface names or addresses, in order. */
  readonly names: readonly string[];
  /** Regular expressions on addresses, then names, tried after all names. */
  readonly patterns: readonly RegExp[];
  /** Take the interface of the route to this address, tried last. */
  readonly canReach: Ip | undefined;
  readonly publicIpv4: Ip | undefined;
  readonly publicIpv6: Ip | undefined;
}

/** Everything that the agent is told from outside, except net-conf.json. */
export interface Settings {
  readonly nodeName: string;
  readonly netConfigPath: string;
  readonly subnetFile: string;
  readonly stateDir: string;
  readonly socketPath: string;
  /** The SQLite file that the agents of one machine share. */
  readonly leaseDb: string;
  readonly interfaceChoice: InterfaceChoice;
  readonly ipMasq: boolean;
  /** How long before its expiry a lease is renewed. */
  readonly renewMarginMinutes: number;
  readonly healthzIp: string;
  /** 0 switches the TCP listener off. */
  readonly healthzPort: number;
  readonly logFormat: 'logfmt' | 'json';
  /** 0 shows events; higher shows more. */
  readonly verbosity: number;
}
