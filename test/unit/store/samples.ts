/**
 * Networks, requests and leases for the tests of the stores.
 *
 * @module
 */
import { type Ip, type Mac, type Prefix, parseIp, parseMac, parsePrefix } from '../../../src/model/ip.ts';
import type { Vtep } from '../../../src/model/lease.ts';
import type { LeaseRequest } from '../../../src/model/lease-source.ts';
import type { NetworkConfig, NetworkFamily, VxlanConfig } from '../../../src/model/network.ts';
import { ok } from '../../../src/model/result.ts';
import type { RawLease } from '../../../src/store/accept.ts';

/** A value that a test has written itself. */
export function sure<T>(value: T | undefined, text: string): T {
  if (value === undefined) throw new Error(`Bad sample '${text}'`);
  return value;
}

export const ip = (text: string): Ip => sure(parseIp(text), text);
export const prefix = (text: string): Prefix => sure(parsePrefix(text), text);
export const mac = (text: string): Mac => sure(parseMac(text), text);

/** A VTEP of VNI 1 whose MAC ends in the 16 bits of `n`. */
export function vtep(n: number): Vtep {
  const hex = n.toString(16).padStart(4, '0');
  return { vni: 1, mac: mac(`0a:58:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`) };
}

/** flannel's defaults with VNI 1. */
export const VXLAN: VxlanConfig = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  mtuBytes: undefined,
  gbp: false,
  learning: false,
  directRouting: false,
  txChecksumOffload: false,
};

/** A range of node subnets. */
export function range(network: string, length: number, [min, max]: readonly [string, string]): NetworkFamily {
  return { network: prefix(network), subnetLength: length, subnetMin: ip(min), subnetMax: ip(max) };
}

export const RANGE4 = range('10.3.0.0/16', 24, ['10.3.1.0', '10.3.255.0']);
export const RANGE6 = range('fc00::/48', 64, ['fc00:0:0:1::', 'fc00:0:0:ffff::']);

/** Dual stack over VXLAN, with what is to differ. */
export function network(different: Partial<NetworkConfig> = {}): NetworkConfig {
  return { ipv4: RANGE4, ipv6: RANGE6, backend: VXLAN, enableNftables: false, ...different };
}

/** What node `n` asks for: public addresses and MACs that end in `n`. */
export function request(node: string, n: number, different: Partial<LeaseRequest> = {}): LeaseRequest {
  return {
    node,
    backendType: 'vxlan',
    ipv4: { publicIp: ip(`192.168.${n >> 8}.${n & 255}`), vtep: vtep(n), previous: undefined },
    ipv6: { publicIp: ip(`2001:db8::${n.toString(16)}`), vtep: vtep(n | 0x8000), previous: undefined },
    ...different,
  };
}

/** The lease of node `n`, sound in both families, with what is to differ. */
export function rawLease(n: number, different: Partial<RawLease> = {}): RawLease {
  return {
    node: `node-${n}`,
    order: n,
    subnet: `10.3.${n}.0/24`,
    subnetV6: `fc00:0:0:${n.toString(16)}::/64`,
    attributes: ok({
      backendType: 'vxlan',
      ipv4: { publicIp: ip(`192.168.${n >> 8}.${n & 255}`), vtep: vtep(n), fault: undefined },
      ipv6: { publicIp: ip(`2001:db8::${n.toString(16)}`), vtep: vtep(n | 0x8000), fault: undefined },
    }),
    ...different,
  };
}
