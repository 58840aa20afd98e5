/**
 * Leases, networks and objects to test with.
 *
 * @module
 */
import {
  type Family,
  type Ip,
  type Mac,
  type Prefix,
  parseIp,
  parseMac,
  parsePrefix,
} from '../../src/model/ip.ts';
import type { Lease, LeaseFamily } from '../../src/model/lease.ts';
import type { BackendConfig, HostGwConfig, NetworkConfig, VxlanConfig } from '../../src/model/network.ts';
import type { LinkObject, VxlanDevice } from '../../src/model/objects.ts';
import type { Underlay } from '../../src/model/underlay.ts';

/** A literal address. */
export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`Not an address: '${text}'`);
  return parsed;
}

/** A literal network. */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`Not a network: '${text}'`);
  return parsed;
}

/** A literal link-layer address. */
export function mac(text: string): Mac {
  const parsed = parseMac(text);
  if (parsed === undefined) throw new Error(`Not a MAC address: '${text}'`);
  return parsed;
}

/** The MAC of node `n`'s device of a family. */
export function macOf(n: number, family: Family): Mac {
  const hex = n.toString(16).padStart(4, '0');
  return mac(`02:00:00:0${family}:${hex.slice(0, 2)}:${hex.slice(2)}`);
}

/** flannel's defaults. */
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

export const HOST_GW: HostGwConfig = { type: 'host-gw' };

/** 10.42.0.0/16 and fd42::/48, as far as enabled. */
export function networkOf(backend: BackendConfig, families: readonly Family[] = [4, 6]): NetworkConfig {
  return {
    ipv4: families.includes(4)
      ? {
          network: prefix('10.42.0.0/16'),
          subnetLength: 24,
          subnetMin: ip('10.42.1.0'),
          subnetMax: ip('10.42.255.0'),
        }
      : undefined,
    ipv6: families.includes(6)
      ? {
          network: prefix('fd42::/48'),
          subnetLength: 64,
          subnetMin: ip('fd42:0:0:1::'),
          subnetMax: ip('fd42:0:0:ffff::'),
        }
      : undefined,
    backend,
    enableNftables: false,
  };
}

/** Which numbers a lease of {@link leaseOf} is made of, where they are not its node's. */
export interface LeaseParts {
  readonly subnet?: number;
  readonly mac?: number;
  readonly publicIp?: number;
  readonly families?: readonly Family[];
  readonly backendType?: string;
}

/** The lease of node `n`: 10.42.n.0/24 at 192.168.0.n, fd42:0:0:n::/64 at fd99::n. */
export function leaseOf(n: number, parts: LeaseParts = {}): Lease {
  const { families = [4, 6], backendType = 'vxlan' } = parts;
  const half = (family: Family): LeaseFamily | undefined => {
    if (!families.includes(family)) return undefined;
    const { subnet = n, mac: macNumber = n, publicIp = n } = parts;
    const vtep = backendType === 'vxlan' ? { vni: 1, mac: macOf(macNumber, family) } : undefined;
    return family === 4
      ? {
          subnet: prefix(`10.42.${subnet}.0/24`),
          publicIp: ip(`192.168.${publicIp >> 8}.${publicIp & 255}`),
          vtep,
        }
      : {
          subnet: prefix(`fd42:0:0:${subnet.toString(16)}::/64`),
          publicIp: ip(`fd99::${publicIp.toString(16)}`),
          vtep,
        };
  };
  return { node: `node-${n}`, backendType, ipv4: half(4), ipv6: half(6) };
}

/** An interface with node 1's addresses. */
export function underlayOf(changes: Partial<Underlay> = {}): Underlay {
  return {
    name: 'eth0',
    index: 2,
    mtuBytes: 1500,
    ipv4: ip('192.168.0.1'),
    ipv6: ip('fd99::1'),
    publicIpv4: ip('192.168.0.1'),
    publicIpv6: ip('fd99::1'),
    why: 'named by --iface=eth0',
    onLink: () => undefined,
    onLinkVersion: 0,
    routerLinks: [],
    ...changes,
  };
}

/** `flannel.1` of node 1, or `flannel-v6.1`. */
export function vxlanLink(
  family: Family = 4,
  changes: Partial<Omit<LinkObject, 'device'>> & { readonly device?: Partial<VxlanDevice> } = {},
): LinkObject & { readonly device: VxlanDevice } {
  const device: VxlanDevice = {
    type: 'vxlan',
    vni: 1,
    port: 8472,
    local: family === 4 ? ip('192.168.0.1') : ip('fd99::1'),
    parent: 'eth0',
    learning: false,
    gbp: false,
    ...changes.device,
  };
  return {
    kind: 'link',
    name: family === 4 ? 'flannel.1' : 'flannel-v6.1',
    mtuBytes: family === 4 ? 1450 : 1430,
    mac: macOf(1, family),
    ...changes,
    device,
  };
}
