/**
 * Which lease is the node's own, and which subnet it takes if it has none: flannel's rules, without their races.
 *
 * @module
 */
import { chooseSubnet, isCompatible, subnetCapacity } from '../../ipam/subnet.ts';
import { FAMILIES, type Family, type Prefix, prefixCovers, prefixesOverlap } from '../../model/ip.ts';
import type { LeaseRequest, LeaseRequestFamily } from '../../model/lease-source.ts';
import { type NetworkConfig, networkFamily } from '../../model/network.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import { parseAttributes } from '../attributes.ts';
import type { FamilyAttributes, LeaseAttributes } from '../lease-attributes.ts';
import { type Subnets, subnetsOf } from './keys.ts';
import type { KeyValue } from './messages.ts';

/** A lease that says that it is this node's. */
export interface Candidate {
  readonly name: string;
  readonly keyValue: KeyValue;
  readonly subnets: Subnets;
  readonly attributes: LeaseAttributes;
}

/** A family of the request that tells its lease from others'. */
interface Mark {
  readonly publicIp: string;
  readonly mac: string | undefined;
}

/** Looks at all leases, one after the other, for one node. */
export class Survey {
  /** What leases of others name, of either family. */
  readonly taken: Prefix[] = [];
  readonly #network: NetworkConfig;
  readonly #mark: Mark | undefined;
  readonly #byAddress: Candidate[] = [];
  readonly #byMac: Candidate[] = [];

  constructor(request: LeaseRequest, network: NetworkConfig) {
    this.#network = network;
    const half = network.ipv4 === undefined ? request.ipv6 : (request.ipv4 ?? request.ipv6);
    this.#mark = half && { publicIp: half.publicIp, mac: half.vtep?.mac };
  }

  /** Takes in one lease. */
  see(name: string, keyValue: KeyValue): void {
    const found = this.#candidate(name, keyValue);
    if (found !== undefined) return;
    const { ipv4, ipv6 } = subnetsOf(name);
    if (ipv4 !== undefined) this.taken.push(ipv4);
    if (ipv6 !== undefined) this.taken.push(ipv6);
  }

  /** The node's leases: those with its public address, else those with its MAC. The oldest comes first. */
  get own(): readonly Candidate[] {
    const own = this.#byAddress.length > 0 ? this.#byAddress : this.#byMac;
    return own.toSorted((a, b) => a.keyValue.createRevision - b.keyValue.createRevision);
  }

  #candidate(name: string, keyValue: KeyValue): Candidate | undefined {
    const mark = this.#mark;
    if (mark === undefined) return undefined;
    const { publicIp, mac } = mark;
    const { value } = keyValue;
    // Most are others'; a look at the text spares their parsing.
    if (!value.includes(publicIp) && (mac === undefined || !value.includes(mac))) return undefined;
    const attributes = parseAttributes(value);
    if (!attributes.ok) return undefined;
    const { ipv4, ipv6 } = attributes.value;
    const isOf = (test: (half: FamilyAttributes) => boolean) => test(ipv4) || test(ipv6);
    const candidate = { name, keyValue, subnets: subnetsOf(name), attributes: attributes.value };
    if (isOf((half) => half.publicIp === publicIp)) this.#byAddress.push(candidate);
    else if (mac !== undefined && isOf((half) => half.vtep?.mac === mac)) this.#byMac.push(candidate);
    else return undefined;
    return candidate;
  }

  /** Whether a lease has a subnet in every family of the network, and no other, each within its range. */
  isCompatible({ subnets }: Pick<Candidate, 'subnets'>): boolean {
    return FAMILIES.every((family) => {
      const range = networkFamily(this.#network, family);
      const subnet = ofFamily(subnets, family);
      return range === undefined || subnet === undefined ? range === subnet : isCompatible(range, subnet);
    });
  }
}

/**
 * The request with every family that the network has: a family whose address is away just now (IPv6 is often late
 * after a boot) keeps what the lease says of it.
 *
 * @param held what the store says of the node, if anything
 */
export function completeRequest(
  request: LeaseRequest,
  network: NetworkConfig,
  held: Pick<Candidate, 'subnets' | 'attributes'> | undefined,
): Result<LeaseRequest, Problem> {
  const half = (family: Family): LeaseRequestFamily | undefined => {
    if (networkFamily(network, family) === undefined) return undefined;
    const wished = family === 4 ? request.ipv4 : request.ipv6;
    const stored = held && (family === 4 ? held.attributes.ipv4 : held.attributes.ipv6);
    if (wished !== undefined || stored?.publicIp === undefined) return wished;
    return { publicIp: stored.publicIp, vtep: stored.vtep, previous: undefined };
  };
  const complete = {
    ...request,
    backendType: request.backendType.toLowerCase(),
    ipv4: half(4),
    ipv6: half(6),
  };
  for (const family of FAMILIES) {
    const isThere = (family === 4 ? complete.ipv4 : complete.ipv6) !== undefined;
    if (isThere || networkFamily(network, family) === undefined) continue;
    const message = `No lease without an IPv${family} address: one key of etcd names the subnets of both families`;
    return fail(problem('interface-no-address', message));
  }
  return ok(complete);
}

/** What a choice depends on. */
export interface ChoiceOptions {
  readonly request: LeaseRequest;
  readonly network: NetworkConfig;
  /** What the node held last, the newest first: preferred to `previous` of the request, which is older. */
  readonly former: readonly Subnets[];
  readonly taken: readonly Prefix[];
  /** Gives a number in [0, 1). */
  readonly random: () => number;
}

/** A free subnet of every family of the network. */
export function chooseSubnets(options: ChoiceOptions): Result<Subnets, Problem> {
  const ipv4 = chooseFamily(options, 4);
  if (!ipv4.ok) return ipv4;
  const ipv6 = chooseFamily(options, 6);
  return ipv6.ok ? ok({ ipv4: ipv4.value, ipv6: ipv6.value }) : ipv6;
}

/** Whether subnets overlap some of others. */
export function overlapSome(subnets: Subnets, others: readonly Prefix[]): boolean {
  return FAMILIES.some((family) => {
    const subnet = ofFamily(subnets, family);
    return subnet !== undefined && others.some((other) => prefixesOverlap(subnet, other));
  });
}

function chooseFamily(
  { request, network, former, taken, random }: ChoiceOptions,
  family: Family,
): Result<Prefix | undefined, Problem> {
  const range = networkFamily(network, family);
  if (range === undefined) return ok(undefined);
  const { previous } = (family === 4 ? request.ipv4 : request.ipv6) ?? {};
  const preferred = [...former.map((subnets) => ofFamily(subnets, family)), previous].find(
    (subnet) => subnet !== undefined && isCompatible(range, subnet),
  );
  // Nobody uses a lease of the whole network, so it keeps nobody from one.
  const others = taken.filter((subnet) => !prefixCovers(subnet, range.network));
  const choice = chooseSubnet({ range, own: undefined, preferred, taken: others, expired: [] }, random);
  if (choice.kind === 'chosen') return ok(choice.subnet);
  const { subnetMin, subnetMax, subnetLength } = range;
  const message =
    `No IPv${family} subnet is free: all ${subnetCapacity(range)} from '${subnetMin}/${subnetLength}' to ` +
    `'${subnetMax}/${subnetLength}' are held in etcd`;
  return fail(problem('no-lease-free', message));
}

function ofFamily(subnets: Subnets, family: Family): Prefix | undefined {
  return family === 4 ? subnets.ipv4 : subnets.ipv6;
}
