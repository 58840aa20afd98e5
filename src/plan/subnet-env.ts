/**
 * The file that tells the CNI plugin of this node's subnets.
 *
 * @module
 */
import type { Family } from '../model/ip.ts';
import { leaseFamily } from '../model/lease.ts';
import { networkFamily } from '../model/network.ts';
import type { FileObject } from '../model/objects.ts';
import { formatSubnetEnv, type SubnetEnvFamily } from '../model/subnet-env.ts';
import type { Inputs } from './backend.ts';

/** The file as flanneld would write it, for pods that may send packets of `mtuBytes`. */
export function planSubnetEnv(inputs: Inputs, mtuBytes: number): FileObject {
  const ipv4 = familyOfFile(inputs, 4);
  const ipv6 = familyOfFile(inputs, 6);
  const text = formatSubnetEnv({ ipv4, ipv6, mtuBytes, ipMasq: inputs.ipMasq });
  return { kind: 'file', path: inputs.subnetFile, text, mode: 0o644 };
}

function familyOfFile({ network, own }: Inputs, family: Family): SubnetEnvFamily | undefined {
  const range = networkFamily(network, family);
  const lease = leaseFamily(own, family);
  return range && lease ? { network: range.network, subnet: lease.subnet } : undefined;
}
