/**
 * States in which a node can be. What each looks like in the kernel stands in `states.txt`.
 *
 * @module
 */
import type { Family } from '../../src/model/ip.ts';
import type { BackendConfig } from '../../src/model/network.ts';
import { UNDERLAY } from '../contract/world.ts';
import type { Rig } from './rig.ts';
import { HOST_GW, ip, type LeaseParts, leaseOf, underlayOf, VXLAN } from './samples.ts';

/** One state. */
export interface State {
  readonly name: string;
  readonly backend: BackendConfig;
  readonly families: readonly Family[];
  readonly peers: Readonly<Record<number, LeaseParts>>;
  /** The own address, `192.168.0.x`; 1 if absent. */
  readonly own?: number;
  /** Peers that are reached without a gateway. */
  readonly near?: RegExp;
}

/** Brings a rig into a state: nothing is undone first. */
export function enter(rig: Rig, { backend, families, peers, own = 1, near = /^$/ }: State): void {
  rig.leases.clear();
  for (const [n, parts] of Object.entries(peers))
    rig.set(leaseOf(Number(n), { families, ...parts, backendType: backend.type }));
  const [ipv4, ipv6] = [ip(`192.168.0.${own}`), ip(`fd99::${own}`)];
  const onLink = (to: string) => (near.test(to) ? UNDERLAY : undefined);
  rig.replan({ backend, families, underlay: underlayOf({ ipv4, ipv6, onLink }) });
  rig.tell('all');
}

/** What is ours in a rig's kernel, without settings that are always the same. */
export function shown(rig: Rig): string[] {
  return rig.ours().filter((line) => !/^(sysctl|offload|file) /.test(line));
}

const TWO: Readonly<Record<number, LeaseParts>> = { 2: {}, 3: {} };

/** Each of them, to be entered from each other. */
export const STATES: readonly State[] = [
  { name: 'alone', backend: VXLAN, families: [4, 6], peers: {} },
  { name: 'tunnels, IPv4', backend: VXLAN, families: [4], peers: TWO },
  { name: 'tunnels, IPv6', backend: VXLAN, families: [6], peers: TWO },
  { name: 'tunnels, dual stack', backend: VXLAN, families: [4, 6], peers: TWO },
  { name: 'peers, IPv4', backend: HOST_GW, families: [4], peers: TWO },
  { name: 'peers, dual stack', backend: HOST_GW, families: [4, 6], peers: TWO },
  {
    name: 'one peer near',
    backend: { ...VXLAN, directRouting: true },
    families: [4],
    peers: TWO,
    near: /\.3$/,
  },
  { name: 'another VNI', backend: { ...VXLAN, vni: 7 }, families: [4], peers: TWO },
  {
    name: 'another port, learning',
    backend: { ...VXLAN, port: 4789, learning: true },
    families: [4],
    peers: { 2: {} },
  },
  { name: 'smaller MTU', backend: { ...VXLAN, mtuBytes: 1400 }, families: [4, 6], peers: { 2: {} } },
  {
    name: 'subnets and MACs swapped',
    backend: VXLAN,
    families: [4],
    peers: { 2: { subnet: 3, mac: 3 }, 3: { subnet: 2, mac: 2 } },
  },
  { name: 'another own address', backend: VXLAN, families: [4], peers: { 3: { families: [4, 6] } }, own: 9 },
  {
    name: 'one peer of each family',
    backend: VXLAN,
    families: [4, 6],
    peers: { 2: { families: [4] }, 3: { families: [6] } },
  },
];

/** What each state looks like: its name behind `# `, then a line for each object that is ours, sorted. */
export function readExpectations(text: string): ReadonlyMap<string, readonly string[]> {
  const sections = text.split(/^# /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [name = '', ...lines] = section.trim().split('\n');
      return [name, lines];
    }),
  );
}
