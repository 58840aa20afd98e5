/**
 * The underlay: a bridge in a namespace of its own, and nodes plugged into it, each in a namespace of its own.
 *
 * @module
 */
import { existsSync, writeFileSync } from 'node:fs';
import { createNetns, inNetns, type Netns } from '../../../ffi/netns.ts';
import { type Family, type Ip, type Mac, parseIp, parseMac } from '../../model/ip.ts';
import { DemoFailure } from './failure.ts';
import { Rtnl } from './rtnl.ts';
import { type LinkEnd, untilCarrying } from './settle.ts';

/** The node's only interface. */
export const UNDERLAY_LINK = 'eth0';

/** What all nodes are plugged into. */
export const BRIDGE = 'br0';

/** 192.168.77.0/24 and fd77::/64. */
export const UNDERLAY_LENGTHS = { 4: 24, 6: 64 } as const;

/**
 * The kernel keeps at most 1,024 learned neighbours for all namespaces together (`gc_thresh3`, which only the
 * machine's own namespace may change), and n nodes learn n * (n - 1). Above this many nodes the underlay's
 * neighbours are therefore given, since permanent entries do not count.
 */
const LEARNING_NODES_MAX = 20;

/** One node: a namespace with an underlay interface and nothing else yet. */
export interface NodeSpace {
  readonly name: string;
  /** From 1. */
  readonly number: number;
  readonly netns: Netns;
  readonly rtnl: Rtnl;
}

/** What {@link buildUnderlay} lays out. */
export interface UnderlayOptions {
  readonly nodes: number;
  readonly families: readonly Family[];
}

/** A finished underlay. Disposing of it lets the namespaces go; processes in them have to be ended before. */
export interface UnderlayNetwork extends Disposable {
  readonly nodes: readonly NodeSpace[];
  /** The namespace that holds the bridge, for a witness that listens to what nodes send. */
  readonly bridge: Netns;
}

/** The underlay address of node `number`. */
export function underlayAddress(number: number, family: Family): Ip {
  return must(parseIp(family === 4 ? `192.168.77.${number}` : `fd77::${number}`));
}

/** Makes the bridge and the nodes, and waits until packets can pass. Whatever fails, nothing of it stays. */
export async function buildUnderlay({ nodes: count, families }: UnderlayOptions): Promise<UnderlayNetwork> {
  if (families.includes(6) && !existsSync('/proc/sys/net/ipv6'))
    throw new DemoFailure('This kernel has IPv6 switched off', ['Run it with --ipv4-only']);
  using stack = new DisposableStack();
  const bridge = stack.use(createNetns());
  writeSysctls(bridge, { 'net/ipv6/conf/default/disable_ipv6': 1 });
  const bridgeRtnl = stack.use(new Rtnl(bridge));
  bridgeRtnl.addBridge(BRIDGE);
  bridgeRtnl.setLink(BRIDGE, { up: true });
  const nodes = Array.from({ length: count }, (_, i): NodeSpace => {
    const netns = stack.use(createNetns());
    const rtnl = stack.use(new Rtnl(netns));
    return { name: `node-${i + 1}`, number: i + 1, netns, rtnl };
  });
  for (const node of nodes) plugIn(node, bridgeRtnl, families);
  if (count > LEARNING_NODES_MAX) for (const node of nodes) introduce(node, nodes, families);
  await untilCarrying(nodes.flatMap((node) => cableEnds(node, { bridge, rtnl: bridgeRtnl, families })));
  const held = stack.move();
  return { nodes, bridge, [Symbol.dispose]: () => held.dispose() };
}

/** Writes settings below /proc/sys in a namespace; those of IPv6 only where the kernel has it. */
export function writeSysctls(netns: Netns, settings: Readonly<Record<string, number>>): void {
  inNetns(netns, () => {
    for (const [name, value] of Object.entries(settings)) {
      const path = `/proc/sys/${name}`;
      if (name.startsWith('net/ipv6/') && !existsSync(path)) continue;
      writeFileSync(path, `${value}`);
    }
  });
}

function plugIn({ name, number, netns, rtnl }: NodeSpace, bridge: Rtnl, families: readonly Family[]): void {
  writeSysctls(netns, {
    'net/ipv6/conf/default/disable_ipv6': 0,
    // Without duplicate address detection an address works at once.
    'net/ipv6/conf/default/accept_dad': 0,
    'net/ipv6/conf/all/accept_dad': 0,
    // Else the kernel forgets static IPv6 addresses when a link goes down, and nobody here gives them back.
    'net/ipv6/conf/default/keep_addr_on_down': 1,
  });
  rtnl.setLink('lo', { up: true });
  bridge.addVeth({ name }, { name: UNDERLAY_LINK, mac: underlayMac(number), netns });
  bridge.setLink(name, { bridge: BRIDGE, up: true });
  rtnl.setLink(UNDERLAY_LINK, { up: true });
  for (const family of families) {
    const ip = underlayAddress(number, family);
    rtnl.add({ kind: 'address', link: UNDERLAY_LINK, ip, length: UNDERLAY_LENGTHS[family] });
  }
}

function cableEnds(
  { name: port, number, netns, rtnl }: NodeSpace,
  other: { bridge: Netns; rtnl: Rtnl; families: readonly Family[] },
): LinkEnd[] {
  const ips = other.families.map((family) => underlayAddress(number, family));
  return [
    { netns, rtnl, link: UNDERLAY_LINK, ips },
    { netns: other.bridge, rtnl: other.rtnl, link: port, ips: [] },
  ];
}

function introduce(node: NodeSpace, nodes: readonly NodeSpace[], families: readonly Family[]): void {
  for (const { number } of nodes) {
    if (number === node.number) continue;
    const mac = underlayMac(number);
    for (const family of families) {
      const ip = underlayAddress(number, family);
      node.rtnl.add({ kind: 'neighbour', link: UNDERLAY_LINK, ip, mac });
    }
  }
}

function underlayMac(number: number): Mac {
  return must(parseMac(`02:77:00:00:00:${number.toString(16).padStart(2, '0')}`));
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('An address of this file does not parse');
  return value;
}
