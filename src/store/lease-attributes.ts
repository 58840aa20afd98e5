/**
 * What a lease tells a node's peers, whatever form its store keeps that in.
 *
 * @module
 */
import type { Ip } from '../model/ip.ts';
import type { Vtep } from '../model/lease.ts';

/** One family's half of {@link LeaseAttributes}. */
export interface FamilyAttributes {
  /** `undefined` if none is given; flannel writes `0.0.0.0` or `null` then. */
  readonly publicIp: Ip | undefined;
  /** Read only if the backend is VXLAN. */
  readonly vtep: Vtep | undefined;
  /** Why this family cannot be used, in words; the other one may be sound. */
  readonly fault: string | undefined;
}

/** What a lease's attributes say, after parsing. */
export interface LeaseAttributes {
  /** In lower case, as flannel matches it. */
  readonly backendType: string;
  readonly ipv4: FamilyAttributes;
  readonly ipv6: FamilyAttributes;
}
