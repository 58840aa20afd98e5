/**
 * Findings for the tests of the decision: a node of a VXLAN network with one peer, after its agent has ended.
 *
 * @module
 */
import type { FdbObject, LinkObject, NeighbourObject, RouteObject } from '../../../src/model/objects.ts';
import { decide, stepsOf } from '../../../src/removal/decide.ts';
import type { Findings, KernelFindings, LeaseFindings, Left } from '../../../src/removal/findings.ts';
import { commandOf } from '../../../src/removal/step.ts';
import { ip, leaseOf, mac, macOf, prefix, vxlanLink } from '../../sim/samples.ts';

/** flanneld's route protocol. */
export const BOOT = 3;

const DIGEST = 'd'.repeat(64);

/** A route over the tunnel to the subnet of node `n`. */
export function tunnelRoute(n: number, changes: Partial<RouteObject> = {}): RouteObject {
  const base = `10.42.${n}.0`;
  return {
    kind: 'route',
    dst: prefix(`${base}/24`),
    gateway: ip(base),
    link: 'flannel.1',
    onlink: true,
    protocol: 102,
    metric: undefined,
    ...changes,
  };
}

/** A route to the subnet of node `n` through the node itself. */
export function directRoute(n: number, changes: Partial<RouteObject> = {}): RouteObject {
  return tunnelRoute(n, { gateway: ip(`192.168.0.${n}`), link: 'eth0', onlink: false, ...changes });
}

/** The entries of the tunnel to node `n`. */
export function entriesOf(n: number): [NeighbourObject, FdbObject] {
  const address = macOf(n, 4);
  return [
    { kind: 'neighbour', link: 'flannel.1', ip: ip(`10.42.${n}.0`), mac: address },
    { kind: 'fdb', link: 'flannel.1', mac: address, dst: ip(`192.168.0.${n}`) },
  ];
}

/** The node's own device. */
export function ownLink(changes: Partial<LinkObject> = {}): LinkObject {
  return { ...vxlanLink(), ...changes };
}

/** The lease database as the node finds it, with some of it replaced. */
export function leasesWith(changes: Partial<Extract<LeaseFindings, { kind: 'read' }>> = {}): LeaseFindings {
  return {
    kind: 'read',
    path: '/srv/leases.db',
    own: [prefix('10.42.1.0/24')],
    peers: [leaseOf(2, { families: [4] })],
    others: 1,
    ...changes,
  };
}

/** A device that nothing speaks for. */
export const STRANGE_MAC = mac('02:00:00:00:99:99');

/** What was found, with some of it replaced. */
export function findings({
  kernel = {},
  ...changes
}: Partial<Omit<Findings, 'kernel'>> & { kernel?: Partial<KernelFindings> } = {}): Findings {
  return {
    node: 'pi-1',
    kernel: {
      links: [ownLink()],
      routes: [tunnelRoute(2)],
      entries: entriesOf(2),
      tables: [],
      passages: [],
      ...kernel,
    },
    iptables: [],
    state: {
      directory: '/var/lib/flannelette',
      file: 'read',
      reason: undefined,
      links: ['flannel.1'],
      subnetEnvDigest: DIGEST,
      ours: ['node.json'],
    },
    subnetEnv: {
      kind: 'read',
      path: '/run/flannel/subnet.env',
      subnets: [prefix('10.42.1.0/24')],
      digest: DIGEST,
    },
    leases: leasesWith(),
    socket: { path: '/run/flannelette/agent.sock', kind: 'stale' },
    cni: [],
    localnets: [],
    halfWritten: [],
    networks: [prefix('10.42.0.0/16')],
    directories: [
      { path: '/run/flannelette', entries: ['agent.sock'] },
      { path: '/var/lib/flannelette', entries: ['node.json'] },
    ],
    flanneld: undefined,
    above: new Map(),
    macs: new Set(),
    ...changes,
  };
}

/** The commands of all that is removed. */
export function commands(found: Findings, adopt = false): string[] {
  return stepsOf(decide(found, { adopt })).map(commandOf);
}

/** All that is left. */
export function left(found: Findings, adopt = false): readonly Left[] {
  return decide(found, { adopt }).left;
}

/** Why something is left. */
export function whyLeft(found: Findings, what: string, adopt = false): string {
  return left(found, adopt).find((each) => each.what === what)?.why ?? 'it is not left';
}

/** A state directory that is not there. */
export const NOBODYS_STATE = {
  directory: '/var/lib/flannelette',
  file: 'none',
  reason: undefined,
  links: [],
  subnetEnvDigest: undefined,
  ours: [],
} as const;
