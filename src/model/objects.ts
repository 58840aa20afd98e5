/**
 * The kernel objects, files and settings that flannelette can want. Links are referred to by name; their
 * indexes exist only in `src/kernel`.
 *
 * @module
 */
import type { Family, Ip, Mac, Prefix } from './ip.ts';
import { type TableObject, tableAddress } from './traffic-rules.ts';

/** A network device. It carries traffic once its {@link UpObject} is there too. */
export interface LinkObject {
  readonly kind: 'link';
  readonly name: string;
  readonly mtuBytes: number;
  readonly mac: Mac;
  readonly device: VxlanDevice | OtherDevice;
}

/** What makes a VXLAN device (`linux/if_link.h`, IFLA_VXLAN_*). */
export interface VxlanDevice {
  readonly type: 'vxlan';
  readonly vni: number;
  readonly port: number;
  readonly local: Ip | undefined;
  /** The name of the underlay interface. */
  readonly parent: string | undefined;
  readonly learning: boolean;
  readonly gbp: boolean;
}

/** A device of a kind that is never ours. */
export interface OtherDevice {
  readonly type: 'other';
  /** The kernel's name of the kind, such as `dummy`; empty for hardware. */
  readonly name: string;
}

/** That a link is administratively up. */
export interface UpObject {
  readonly kind: 'up';
  readonly link: string;
}

/** An address of a link, with the host bits of `ip` kept. */
export interface AddressObject {
  readonly kind: 'address';
  readonly link: string;
  readonly ip: Ip;
  readonly length: number;
}

/** A route in table main, unicast unless it is a blackhole. */
export interface RouteObject {
  readonly kind: 'route';
  readonly dst: Prefix;
  readonly gateway: Ip | undefined;
  /** Empty for a route that leads nowhere, or over several next hops. */
  readonly link: string;
  /** The gateway need not be reachable by another route (RTNH_F_ONLINK). */
  readonly onlink: boolean;
  /** Who made it (`rtm_protocol`): {@link ROUTE_PROTOCOL} for ours. */
  readonly protocol: number;
  /** Only if it is not the kernel's default. */
  readonly metric: number | undefined;
  /** Whether packets are dropped without a word (RTN_BLACKHOLE). */
  readonly blackhole?: true;
}

/**
 * The protocol number on our routes, by which we know them again. It stands in no list that iproute2 ships
 * (`/etc/iproute2/rt_protos`); flanneld's routes carry `boot` (3).
 */
export const ROUTE_PROTOCOL = 102;

/**
 * The metric of our blackhole routes: any other route to the same destination comes first, the connected one of a bridge
 * (0 for IPv4, 256 for IPv6) above all.
 */
export const BLACKHOLE_METRIC = 0x7fffffff;

/** Whether a route is a blackhole of ours. */
export function isOwnBlackhole({ blackhole, protocol, metric }: RouteObject): boolean {
  return blackhole === true && protocol === ROUTE_PROTOCOL && metric === BLACKHOLE_METRIC;
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
  /** The one value that is changed; any other is somebody's choice and stays. Every other is changed if absent. */
  readonly from?: string;
  /** Whether a kernel without this setting is as good. */
  readonly optional: boolean;
}

/** The setting that has the node forward packets of a family; on unless it is 0. */
export function forwardingSetting(family: Family): SysctlObject {
  const name = family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding';
  return { kind: 'sysctl', name, value: '1', from: '0', optional: false };
}

/** The name that a path below /proc/sys has for sysctl(8). */
export function sysctlName(path: string): string {
  return path.replaceAll('/', '.');
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

/** That chains of other programs that drop packets accept those of pods first, by rules of ours (`--fix-forward`). */
export interface PassageObject {
  readonly kind: 'passage';
  readonly networks: readonly Prefix[];
  /** Where it is not so, in words; none in a plan. */
  readonly faults: readonly string[];
  /** The rules of ours that were found, as nft addresses them: `ip filter FORWARD handle 7`. */
  readonly rules: readonly string[];
}

/** Everything that `plan` can want and `reconcile` can bring about. */
export type KernelObject =
  | LinkObject
  | UpObject
  | AddressObject
  | RouteObject
  | NeighbourObject
  | FdbObject
  | SysctlObject
  | OffloadObject
  | FileObject
  | TableObject
  | PassageObject;

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
    case 'up':
      return `up ${object.link}` as Key;
    case 'address':
      return `address ${object.ip}/${object.length} dev ${object.link}` as Key;
    case 'route':
      return `route ${object.dst}${object.metric === undefined ? '' : ` metric ${object.metric}`}` as Key;
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
    case 'table':
      return `table ${tableAddress(object)}` as Key;
    case 'passage':
      return 'passage' as Key;
  }
}

/** The object as iproute2 would print it, so that an operator can paste it. */
export function describe(object: KernelObject): string {
  switch (object.kind) {
    case 'link':
      return `link ${object.name} address ${object.mac} mtu ${object.mtuBytes} ${describeDevice(object.device)}`;
    case 'up':
      return `link ${object.link} up`;
    case 'address':
      return `address ${object.ip}/${object.length} dev ${object.link}`;
    case 'route':
      if (object.blackhole) return `${keyOf(object)} blackhole`;
      return `${keyOf(object)}${object.gateway === undefined ? '' : ` via ${object.gateway}`} dev ${object.link}${object.onlink ? ' onlink' : ''}`;
    case 'neighbour':
      return `neighbour ${object.ip} lladdr ${object.mac} dev ${object.link} nud permanent`;
    case 'fdb':
      return `fdb ${object.mac} dev ${object.link} dst ${object.dst} self permanent`;
    case 'sysctl':
      return `sysctl ${sysctlName(object.name)}=${object.value}`;
    case 'offload':
      return `offload ${object.feature} ${object.on ? 'on' : 'off'} dev ${object.link}`;
    case 'file':
      return `file ${object.path}`;
    case 'table':
      return `table ${tableAddress(object)}`;
    case 'passage':
      return `passage of ${object.networks.join(', ') || 'pods'} through chains of others`;
  }
}

function describeDevice(device: VxlanDevice | OtherDevice): string {
  if (device.type === 'other') return `type ${device.name || 'hardware'}`;
  const { vni, port, local, parent, learning, gbp } = device;
  const flags = `${learning ? 'learning' : 'nolearning'}${gbp ? ' gbp' : ''}`;
  return `type vxlan id ${vni} local ${local ?? 'none'} dev ${parent ?? 'none'} dstport ${port} ${flags}`;
}

/** Whether two objects are wanted alike in every field. */
export function sameObject(a: KernelObject, b: KernelObject): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
