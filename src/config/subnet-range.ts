/**
 * How a cluster network is cut into node subnets, by the rules of flannel's `CheckNetworkConfig`.
 *
 * @module
 */
import {
  addressBits,
  type Family,
  type Ip,
  ipFromBigint,
  ipToBigint,
  type Prefix,
  parsePrefix,
  prefixBase,
  prefixContains,
  prefixesOverlap,
  prefixLength,
} from '../model/ip.ts';
import type { NetworkFamily } from '../model/network.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { type ConfigError, invalid, missing } from './error.ts';

/** One family's keys as net-conf.json has them. */
export interface RangeInput {
  readonly family: Family;
  readonly network: Prefix | undefined;
  /** 0 leaves the choice to us. */
  readonly subnetLength: number;
  readonly subnetMin: Ip | undefined;
  readonly subnetMax: Ip | undefined;
}

interface Limits {
  readonly keyPrefix: string;
  /** A node subnet must have room for pods. */
  readonly subnetLengthMax: number;
  /** The length that a large network gets if none is asked for. */
  readonly subnetLengthUsual: number;
  readonly example: string;
}

const LIMITS: Readonly<Record<Family, Limits>> = {
  4: { keyPrefix: '', subnetLengthMax: 30, subnetLengthUsual: 24, example: '10.244.0.0/16' },
  6: { keyPrefix: 'IPv6', subnetLengthMax: 126, subnetLengthUsual: 64, example: 'fd00:42::/48' },
};

/** RFC 6890: this host, loopback, link-local; multicast. No packet of a pod could come from or go to one of them. */
const SPECIAL: Readonly<Record<Family, readonly Prefix[]>> = {
  4: prefixes('0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4'),
  6: prefixes('::/127', 'fe80::/10', 'ff00::/8'),
};

function prefixes(...texts: readonly string[]): readonly Prefix[] {
  return texts.flatMap((text) => parsePrefix(text) ?? []);
}

/** A network holds at least four subnets: two bits. */
const SUBNET_BITS_MIN = 2;

/** Checks one enabled family and fills in what is not given. */
export function cutNetwork(input: RangeInput): Result<NetworkFamily, ConfigError> {
  const { family, network } = input;
  const { keyPrefix, subnetLengthMax, example } = LIMITS[family];
  const key = `${keyPrefix}Network`;
  // K3s writes 0.0.0.0/0 and ::/0 for a family that it does not use.
  if (network === undefined || prefixLength(network) === 0) {
    return fail(missing(key, `an IPv${family} network such as ${example}, as EnableIPv${family} is true`));
  }
  const networkLengthMax = subnetLengthMax - SUBNET_BITS_MIN;
  if (prefixLength(network) > networkLengthMax) {
    const expected = `a prefix length of at most ${networkLengthMax}, so that it holds 4 subnets`;
    return fail(invalid({ key, value: network }, expected));
  }
  const special = SPECIAL[family].find((each) => prefixesOverlap(network, each));
  if (special !== undefined)
    return fail(invalid({ key, value: network }, `a network without ${special}, where no pod can be`));
  const subnetLength = chooseSubnetLength(input, network);
  if (!subnetLength.ok) return subnetLength;
  return chooseEnds(input, { network, subnetLength: subnetLength.value });
}

function chooseSubnetLength(
  { family, subnetLength }: RangeInput,
  network: Prefix,
): Result<number, ConfigError> {
  const { keyPrefix, subnetLengthMax, subnetLengthUsual } = LIMITS[family];
  const shortest = prefixLength(network) + SUBNET_BITS_MIN;
  if (subnetLength === 0) return ok(Math.max(subnetLengthUsual, shortest));
  if (subnetLength >= shortest && subnetLength <= subnetLengthMax) return ok(subnetLength);
  const expected = `a prefix length from ${shortest} to ${subnetLengthMax} for subnets of ${network}`;
  return fail(invalid({ key: `${keyPrefix}SubnetLen`, value: String(subnetLength) }, expected));
}

function chooseEnds(
  input: RangeInput,
  { network, subnetLength }: { network: Prefix; subnetLength: number },
): Result<NetworkFamily, ConfigError> {
  const { family } = input;
  const size = 1n << BigInt(addressBits(family) - subnetLength);
  const base = ipToBigint(prefixBase(network));
  const end = base + (1n << BigInt(addressBits(family) - prefixLength(network)));
  const { keyPrefix } = LIMITS[family];
  const ends = { min: given(input.subnetMin), max: given(input.subnetMax) };
  for (const [key, value] of [
    [`${keyPrefix}SubnetMin`, ends.min],
    [`${keyPrefix}SubnetMax`, ends.max],
  ] as const) {
    if (value === undefined) continue;
    const isInside = prefixContains(network, value);
    if (isInside && ipToBigint(value) % size === 0n) continue;
    const expected = isInside ? `the first address of a /${subnetLength}` : `an address inside ${network}`;
    return fail(invalid({ key, value }, expected));
  }
  // flannel reserves the first subnet, whose base is the network's own address.
  const subnetMin = ends.min ?? ipFromBigint(family, base + size);
  const subnetMax = ends.max ?? ipFromBigint(family, end - size);
  if (ipToBigint(subnetMin) > ipToBigint(subnetMax)) {
    // flannel does not look at this, and then finds no free subnet.
    return fail(
      invalid({ key: `${keyPrefix}SubnetMax`, value: subnetMax }, `an address from ${subnetMin} on`),
    );
  }
  return ok({ network, subnetLength, subnetMin, subnetMax });
}

/** The unspecified address counts as not given. */
function given(ip: Ip | undefined): Ip | undefined {
  return ip === '0.0.0.0' || ip === '::' ? undefined : ip;
}
