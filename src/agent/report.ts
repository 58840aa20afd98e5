/**
 * What the agent says of itself, put together when somebody asks.
 *
 * @module
 */
import { FAMILIES, type Family, familyOf, type Mac, prefixContains } from '../model/ip.ts';
import { type Lease, leaseFamily } from '../model/lease.ts';
import type { OwnLease } from '../model/lease-source.ts';
import { type NetworkConfig, networkFamily, vxlanDeviceName } from '../model/network.ts';
import { type Problem, type ProblemCode, problem } from '../model/problem.ts';
import type {
  InterfaceStatus,
  OwnLeaseStatus,
  PassStatus,
  PeerFamilyStatus,
  PeerStatus,
} from '../model/status.ts';
import type { Underlay } from '../model/underlay.ts';
import { vxlanMtuBytes } from '../plan/vxlan.ts';
import { fightProblem } from '../reconcile/fights.ts';
import type { Pass } from '../reconcile/pass.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { FailureKind } from '../reconcile/target.ts';
import type { Identity } from './identity.ts';

/** More failures than this are only counted: one cause makes thousands. */
const FAILURES_MAX = 20;
/** Who fights over one object may fight over all. */
const FIGHTS_MAX = 5;

/** RFC 8200, section 5. */
const IPV6_MTU_MIN = 1280;

const CODES: Readonly<Record<FailureKind, ProblemCode>> = {
  denied: 'netlink-denied',
  unsupported: 'kernel-unsupported',
  conflict: 'link-conflict',
  unwritable: 'file-unwritable',
  'no-link': 'object-failed',
  other: 'object-failed',
};

/** What keeps the kernel from being as it should. */
export function kernelProblems(reconciler: Reconciler): Problem[] {
  const problems: Problem[] = [];
  let more = 0;
  for (const { kind, message, remedy, harmless } of reconciler.failures()) {
    if (harmless) continue;
    if (problems.length < FAILURES_MAX) problems.push(problem(CODES[kind], message, remedy));
    else more++;
  }
  if (more > 0) problems.push(problem('object-failed', `${more} more objects failed`));
  const pending = reconciler.pendingPeers;
  if (pending > 0) problems.push(problem('peer-pending', `${pending} peers are not in the kernel yet`));
  return problems;
}

/** What fails and is only told, since nothing depends on it. */
export function harmlessProblems(reconciler: Reconciler): Problem[] {
  const failures = [...reconciler.failures()].filter(({ harmless }) => harmless);
  return failures.map(({ kind, message, remedy }) => problem(CODES[kind], message, remedy));
}

/** What others keep changing back: in the way while it waits, worth knowing while it is in place. */
export function fightProblems(reconciler: Reconciler): {
  readonly waiting: Problem[];
  readonly inPlace: Problem[];
} {
  const fights = reconciler.fights();
  const problems = (isWaiting: boolean) =>
    fights
      .filter((fight) => fight.isWaiting === isWaiting)
      .slice(0, FIGHTS_MAX)
      .map(fightProblem);
  return { waiting: problems(true), inPlace: problems(false) };
}

/** The failure that has stood longest, for the log; the status has them all. */
export function firstFailure(reconciler: Reconciler): Problem | undefined {
  for (const { kind, message, remedy } of reconciler.failures()) return problem(CODES[kind], message, remedy);
  return undefined;
}

/** The addresses of the VTEP devices for the status, by the devices' names. */
export function vtepMacs(network: NetworkConfig, identity: Identity): Record<string, Mac> {
  const { backend } = network;
  if (backend.type !== 'vxlan') return {};
  const families = FAMILIES.filter((family) => networkFamily(network, family));
  return Object.fromEntries(
    families.map((family) => [
      vxlanDeviceName(backend.vni, family),
      family === 4 ? identity.macIpv4 : identity.macIpv6,
    ]),
  );
}

/** What is wrong with an interface that was chosen; the last is only told, and keeps nothing from working. */
export function interfaceProblems(network: NetworkConfig, underlay: Underlay | undefined): Problem[] {
  return [...blockingInterfaceProblems(network, underlay), ...overlapProblems(network, underlay)];
}

/** What keeps a chosen interface from being of use. */
export function blockingInterfaceProblems(network: NetworkConfig, underlay: Underlay | undefined): Problem[] {
  return [...publicAddressProblems(network, underlay), ...mtuProblems(network, underlay)];
}

/** With host-gw peers route to the public address itself: one that is not the interface's leads nowhere. */
function publicAddressProblems(network: NetworkConfig, underlay: Underlay | undefined): Problem[] {
  if (network.backend.type !== 'host-gw' || underlay === undefined) return [];
  const { name, ipv4, publicIpv4, ipv6, publicIpv6 } = underlay;
  const pairs = [
    [ipv4, publicIpv4],
    [ipv6, publicIpv6],
  ] as const;
  return pairs
    .filter(([own, published]) => own !== published)
    .map(([own, published]) =>
      problem('public-ip-not-local', `Public address ${published} is not that of ${name} (${own})`),
    );
}

/** A peer whose subnet holds this node's address would take its traffic, that between the nodes included. */
export function overlapProblems(network: NetworkConfig, underlay: Underlay | undefined): Problem[] {
  if (underlay === undefined) return [];
  const { name, ipv4, ipv6 } = underlay;
  return [ipv4, ipv6].flatMap((ip) => {
    const pods = ip && networkFamily(network, familyOf(ip))?.network;
    if (ip === undefined || pods === undefined || !prefixContains(pods, ip)) return [];
    return [problem('network-overlap', `Address ${ip} of ${name} lies in the pod network ${pods}`)];
  });
}

/** IPv6 does not work on a link that carries less than 1280 bytes (RFC 8200): the kernel refuses its addresses. */
function mtuProblems({ backend, ipv6 }: NetworkConfig, underlay: Underlay | undefined): Problem[] {
  if (backend.type !== 'vxlan' || ipv6 === undefined || underlay === undefined) return [];
  const left = vxlanMtuBytes(backend, underlay.mtuBytes, 6);
  if (left >= IPV6_MTU_MIN) return [];
  const message = `Interface ${underlay.name} has MTU ${underlay.mtuBytes}: VXLAN leaves ${left} bytes, IPv6 needs ${IPV6_MTU_MIN}`;
  return [problem('mtu-too-small', message)];
}

/** One peer for the status. */
export function* peerStatuses(reconciler: Reconciler): Generator<PeerStatus> {
  for (const { lease, state, reason } of reconciler.peers()) {
    const { node, backendType } = lease;
    yield { node, backendType, state, ipv4: familyStatus(lease, 4), ipv6: familyStatus(lease, 6), reason };
  }
}

function familyStatus(lease: Lease, family: Family): PeerFamilyStatus | undefined {
  const half = leaseFamily(lease, family);
  return half && { subnet: half.subnet, publicIp: half.publicIp };
}

/** The interface for the status. */
export function interfaceStatus(underlay: Underlay | undefined): InterfaceStatus | undefined {
  if (underlay === undefined) return undefined;
  const { name, mtuBytes, ipv4, ipv6, publicIpv4, publicIpv6, why } = underlay;
  return { name, mtuBytes, ipv4, ipv6, publicIpv4, publicIpv6, why };
}

/** The own lease for the status. */
export function ownLeaseStatus(
  own: OwnLease | undefined,
  renewedUntilMs: number | undefined,
): OwnLeaseStatus | undefined {
  if (own === undefined) return undefined;
  const { lease } = own;
  const expiresAtMs = renewedUntilMs ?? own.expiresAtMs;
  return {
    subnet: lease.ipv4?.subnet,
    subnetV6: lease.ipv6?.subnet,
    expiresAt: expiresAtMs === undefined ? undefined : new Date(expiresAtMs).toISOString(),
  };
}

/** A pass for the status. */
export function passStatus(pass: Pass, durationMs: number, nowMs: number): PassStatus {
  const { cause, created, updated, removed, failed, held } = pass;
  const at = new Date(nowMs).toISOString();
  return { at, cause, durationMs: Math.round(durationMs * 10) / 10, created, updated, removed, failed, held };
}
