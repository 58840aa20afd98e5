/**
 * hostPorts: ports of the node that lead to a pod.
 *
 * @module
 */
import type { Family, Ip } from './ip.ts';
import type { TableObject, TrafficRule } from './traffic-rules.ts';

/** By their numbers (`linux/in.h`: IPPROTO_*). */
export const PROTOCOL_NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const;

/** What has ports. */
export type PortProtocol = keyof typeof PROTOCOL_NUMBERS;

/** One port of the node that is to lead to a port of the pod. */
export interface PortMapping {
  readonly protocol: PortProtocol;
  readonly hostPort: number;
  readonly containerPort: number;
  /** Absent for every address of the node; `0.0.0.0` or `::` for every one of that family. */
  readonly hostIp?: Ip | undefined;
}

/** The hostPorts of one interface of a container, and whether it is masqueraded outside, as they are written down for as long as it is there. */
export interface HostPorts {
  readonly containerId: string;
  readonly ifname: string;
  /** The name of the CNI network. */
  readonly network: string;
  /** The path of the container's namespace. */
  readonly netns: string;
  /** The inode of the node's own: two nodes on one machine, as in a laboratory, have ports of their own. */
  readonly nodeNamespace: number;
  /** One of each family at most, with the length of its subnet's prefix. */
  readonly addresses: readonly { readonly ip: Ip; readonly length: number }[];
  readonly mappings: readonly PortMapping[];
  /** The bit that connections bear which may have to be masqueraded; 0 where none are. */
  readonly mark: number;
  /** Whether all are masqueraded, not only those that would not find back. */
  readonly masqueradeAll: boolean;
  /** Whether what it sends out of its subnet is masqueraded (`ipMasq` of the plugin `bridge`). */
  readonly outbound: boolean;
  /** The link of the node that leads to the container; empty if it is not known. */
  readonly link: string;
}

/** What one port leads to. */
export interface PortForward {
  readonly protocol: PortProtocol;
  /** Of the node; every one if absent. */
  readonly address: Ip | undefined;
  readonly port: number;
  readonly to: Ip;
  readonly toPort: number;
  readonly comment: string;
}

/** Where the kernel looks ports up: by protocol and port, or, if `byAddress`, by the address of the node, too. */
export interface PortMap {
  readonly name: string;
  readonly byAddress: boolean;
  /** The bit that connections get. */
  readonly mark: number;
  readonly forwards: readonly PortForward[];
}

/** The table of nf_tables for a family's hostPorts, whole. */
export interface PortTable {
  readonly family: Family;
  readonly maps: readonly PortMap[];
  readonly masquerade: readonly TrafficRule[];
  /** Whether others have to be kept from 127.0.0.0/8, which links to pods are open for. */
  readonly guard: boolean;
}

/** Where the plugins write hostPorts down. Gone after a reboot, like the rules in the kernel. */
export const PORT_FOLDER = '/run/cni/hostports';

/** The name of the tables. */
export const PORT_TABLE = 'flannelette-hostports';

/** By which a table is known as ours. */
export const PORT_TABLE_COMMENT = 'hostPorts of pods';

/**
 * What came of a look at the tables: they were right, a plugin is at work on them, they were put right and what had become
 * of them, or why they could not be.
 */
export type PortsLook = 'right' | 'busy' | { readonly was: string } | { readonly failed: string };

/** Whether a table of nf_tables is one of ours for hostPorts. */
export function isPortTable({ name, comment }: Pick<TableObject, 'name' | 'comment'>): boolean {
  return name === PORT_TABLE && comment === PORT_TABLE_COMMENT;
}

/** Behind the name of a link: a note there that its `route_localnet` was set for a hostPort, and was not before. */
export const LOCALNET_SUFFIX = '.localnet';

/** The links of which there is a note, from the names in the folder. */
export function localnetsIn(names: readonly string[]): string[] {
  return names.flatMap((name) =>
    name.endsWith(LOCALNET_SUFFIX) ? [name.slice(0, -LOCALNET_SUFFIX.length)] : [],
  );
}

/** The setting that has a link take packets from and to 127.0.0.1 (ip-sysctl.rst), below /proc/sys. */
export function localnetOf(link: string): string {
  return `net/ipv4/conf/${link}/route_localnet`;
}
