/**
 * The kernel objects, files and settings that flannelette can want. Links are referred to by name; their
 * indexes exist only in `src/kernel`.
 *
 * @module
 */
import type { Ip, Mac, Prefix } from './ip.ts';

/** A VXLAN device (`linux/if_link.h`, IFLA_VXLAN_*). It is always wanted up. */
export interface LinkObject {
  readonly kind: 'link';
  readonly name: string;
  readonly mtuBytes: number;
  readonly mac: Mac;
  readonly vxlan: VxlanLink;
}

/** What makes a VXLAN device; all but `learning` can only be given when it is created. */
export interface VxlanLink {
  readonly vni: number;
  readonly port: number;
  readonly local: Ip;
  /** The name of the underlay interface. */
  readonly parent: string;
  readonly learning: boolean;
  readonly gbp: boolean;
}

/** An address of a link, with the host bits of `ip` kept. */
export interface AddressObject {
  readonly kind: 'address';
  readonly link: string;
  readonly ip: Ip;
  readonly length: number;
}

/** A unicast route in table main through a gateway. */
export interface RouteObject {
  readonly kind: 'route';
  readonly dst: Prefix;
  readonly gateway: Ip;
  readonly link: string;
  /** The gateway need not be reachable by another route (RTNH_F_ONLINK). */
  readonly onlink: boolean;
}

/** A permanent neighbour (ARP or ND) entry. */
export interface NeighbourObject {
  readonly kind: 'neighbour';
  readonly link: string;
  readonly ip: Ip;
  readonly mac: Mac;
}

/** A permanent forwarding entry of a VXLAN device: frames to `mac` go to the node at `dst`. */
export interface FdbObject {
  readonly kind: 'fdb';
  readonly link: string;
  readonly mac: Mac;
  readonly dst: Ip;
}

/** A value below /proc/sys. It is set, never taken back. */
export interface SysctlObject {
  readonly kind: 'sysctl';
  /** Path below /proc/sys, such as `net/ipv6/conf/flannel.1/accept_ra`. */
  readonly name: string;
  readonly value: string;
  /** Whether a kernel without this setting is as good. */
  readonly optional: boolean;
}

/** A link feature as `ethtool -k` names it. */
export interface OffloadObject {
  readonly kind: 'offload';
  readonly link: string;
  readonly feature: string;
  readonly on: boolean;
}

/** A file with exactly this text. */
export interface FileObject {
  readonly kind: 'file';
  readonly path: string;
  readonly text: string;
  /** Permission bits of a newly made file. */
  readonly mode: number;
}

/** Everything that `plan` can want and `reconcile` can bring about. */
export type KernelObject =
  | LinkObject
  | AddressObject
  | RouteObject
  | NeighbourObject
  | FdbObject
  | SysctlObject
  | OffloadObject
  | FileObject;

/** The name of a kind of object. */
export type ObjectKind = KernelObject['kind'];

declare const keyBrand: unique symbol;

/** An object's identity: equal keys mean that one replaces the other. Also its name in logs. */
export type Key = string & { readonly [keyBrand]: 'Key' };

/** The identity of an object. */
export function keyOf(object: KernelObject): Key {
  switch (object.kind) {
    case 'link':
      return `link ${object.name}` as Key;
    case 'address':
      return `address ${object.ip}/${object.length} dev ${object.link}` as Key;
    case 'route':
      return `route ${object.dst}` as Key;
    case 'neighbour':
      return `neighbour ${object.ip} dev ${object.link}` as Key;
    case 'fdb':
      return `fdb ${object.mac} dev ${object.link}` as Key;
    case 'sysctl':
      return `sysctl ${object.name}` as Key;
    case 'offload':
      return `offload ${object.feature} dev ${object.link}` as Key;
    case 'file':
      return `file ${object.path}` as Key;
  }
}

/** The object as iproute2 would print it, so that an operator can paste it. */
export function describe(object: KernelObject): string {
  switch (object.kind) {
    case 'link': {
      const { vni, port, local, parent, learning, gbp } = object.vxlan;
      const flags = `${learning ? 'learning' : 'nolearning'}${gbp ? ' gbp' : ''}`;
      return `link ${object.name} address ${object.mac} mtu ${object.mtuBytes} type vxlan id ${vni} local ${local} dev ${parent} dstport ${port} ${flags}`;
    }
    case 'address':
      return `address ${object.ip}/${object.length} dev ${object.link}`;
    case 'route':
      return `route ${object.dst} via ${object.gateway} dev ${object.link}${object.onlink ? ' onlink' : ''}`;
    case 'neighbour':
      return `neighbour ${object.ip} lladdr ${object.mac} dev ${object.link} nud permanent`;
    case 'fdb':
      return `fdb ${object.mac} dev ${object.link} dst ${object.dst} self permanent`;
    case 'sysctl':
      return `sysctl ${object.name.replaceAll('/', '.')}=${object.value}`;
    case 'offload':
      return `offload ${object.feature} ${object.on ? 'on' : 'off'} dev ${object.link}`;
    case 'file':
      return `file ${object.path}`;
  }
}
