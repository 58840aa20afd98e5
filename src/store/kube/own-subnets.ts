/**
 * The node's own lease: Kubernetes has chosen the subnets, so there is nothing to choose but much to wait for.
 *
 * @module
 */
import { FAMILIES, type Family, familyOf, type Prefix, parsePrefix, prefixCovers } from '../../model/ip.ts';
import type { Lease, LeaseFamily } from '../../model/lease.ts';
import type { LeaseRequest } from '../../model/lease-source.ts';
import { type NetworkConfig, networkFamily } from '../../model/network.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import { quoted } from '../printable.ts';
import type { KubeNode } from './node.ts';

/** What {@link ownLease} is made of. */
export interface OwnLeaseSources {
  readonly request: LeaseRequest;
  readonly network: NetworkConfig;
  /** `undefined` while there is no such Node. */
  readonly node: Pick<KubeNode, 'podCidrs'> | undefined;
}

/** The lease, or what it waits for. A family that the request does not have is left out. */
export function ownLease({ request, network, node }: OwnLeaseSources): Result<Lease, Problem> {
  if (node === undefined)
    return fail(problem('node-missing', `There is no Node '${request.node}' in the cluster yet`));
  const halves = new Map<Family, LeaseFamily>();
  for (const family of FAMILIES) {
    const wanted = family === 4 ? request.ipv4 : request.ipv6;
    const range = networkFamily(network, family);
    if (wanted === undefined || range === undefined) continue;
    const subnet = subnetOf(node.podCidrs, { family, node: request.node, range: range.network });
    if (!subnet.ok) return subnet;
    halves.set(family, { subnet: subnet.value, publicIp: wanted.publicIp, vtep: wanted.vtep });
  }
  const { node: name, backendType } = request;
  return ok({ node: name, backendType, ipv4: halves.get(4), ipv6: halves.get(6) });
}

interface Wanted {
  readonly family: Family;
  readonly node: string;
  readonly range: Prefix;
}

function subnetOf(podCidrs: readonly string[], { family, node, range }: Wanted): Result<Prefix, Problem> {
  const subnets = podCidrs.map((text) => parsePrefix(text));
  const subnet = subnets.find((each) => each !== undefined && familyOf(each) === family);
  if (subnet === undefined) {
    const has = podCidrs.length === 0 ? '' : ` (it has ${podCidrs.map(quoted).join(', ')})`;
    return fail(problem('pod-cidr-missing', `Node '${node}' has no IPv${family} podCIDR yet${has}`));
  }
  if (prefixCovers(range, subnet)) return ok(subnet);
  const message = `podCIDR ${subnet} of node '${node}' is outside of the network ${range}`;
  return fail(problem('pod-cidr-invalid', message));
}
