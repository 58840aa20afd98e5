/**
 * The cluster's network as net-conf.json describes it, after validation.
 *
 * @module
 */
import type { Family, Ip, Prefix } from './ip.ts';

/** One family's cluster network and how it is cut into node subnets. */
export interface NetworkFamily {
  readonly network: Prefix;
  /** Bits in a node subnet's prefix. */
  readonly subnetLength: number;
  /** The base of the first subnet that may be leased. */
  readonly subnetMin: Ip;
  /** The base of the last subnet that may be leased. */
  readonly subnetMax: Ip;
}

/** flannel's `vxlan` backend object, with the one key that we add. */
export interface VxlanConfig {
  readonly type: 'vxlan';
  /** 1 to 16777215. */
  readonly vni: number;
  /** UDP port. */
  readonly port: number;
  /** The underlay's MTU in bytes, if the configuration overrides that of the interface. */
  readonly mtuBytes: number | undefined;
  /** Group-based policy extension. */
  readonly gbp: boolean;
  readonly learning: boolean;
  /** Peers on the same link get a plain route instead of the tunnel. */
  readonly directRouting: boolean;
  /** Ours (`TxChecksumOffload`): leave the device's TX checksum offload on (flannel#1279). */
  readonly txChecksumOffload: boolean;
}

/** The name of the device of a family: flannel's. */
export function vxlanDeviceName(vni: number, family: Family): string {
  return family === 4 ? `flannel.${vni}` : `flannel-v6.${vni}`;
}

/** flannel's `host-gw` backend object: it has no keys. */
export interface HostGwConfig {
  readonly type: 'host-gw';
}

/** The backend that carries pod traffic between nodes. */
export type BackendConfig = VxlanConfig | HostGwConfig;

/** The whole of net-conf.json. A family that is not enabled is `undefined`. */
export interface NetworkConfig {
  readonly ipv4: NetworkFamily | undefined;
  readonly ipv6: NetworkFamily | undefined;
  readonly backend: BackendConfig;
  readonly enableNftables: boolean;
}

/** The half of the network that a family names. */
export function networkFamily(network: NetworkConfig, family: Family): NetworkFamily | undefined {
  return family === 4 ? network.ipv4 : network.ipv6;
}
