/**
 * subnet.env: what the CNI plugin learns of this node's subnets (flannel's `WriteSubnetFile`).
 *
 * @module
 */
import { addressAt, type Prefix, prefixLength } from './ip.ts';

/** One family of the file. */
export interface SubnetEnvFamily {
  /** The cluster's network. */
  readonly network: Prefix;
  /** This node's share of it. */
  readonly subnet: Prefix;
}

/** Everything that the file says. A family that is not enabled is `undefined`. */
export interface SubnetEnv {
  readonly ipv4: SubnetEnvFamily | undefined;
  readonly ipv6: SubnetEnvFamily | undefined;
  /** Of the pods' interfaces. */
  readonly mtuBytes: number;
  readonly ipMasq: boolean;
}

/** The file's text, byte for byte as flanneld writes it: the subnet's address is the first host's, the bridge. */
export function formatSubnetEnv({ ipv4, ipv6, mtuBytes, ipMasq }: SubnetEnv): string {
  const lines = [
    ...familyLines('FLANNEL', ipv4),
    ...familyLines('FLANNEL_IPV6', ipv6),
    `FLANNEL_MTU=${mtuBytes}`,
    `FLANNEL_IPMASQ=${ipMasq}`,
  ];
  return `${lines.join('\n')}\n`;
}

function familyLines(name: string, family: SubnetEnvFamily | undefined): string[] {
  if (family === undefined) return [];
  const { network, subnet } = family;
  return [`${name}_NETWORK=${network}`, `${name}_SUBNET=${addressAt(subnet, 1n)}/${prefixLength(subnet)}`];
}
