/**
 * flannel's annotations of a Node, byte for byte: real flanneld cuts text out of them (flannel's
 * `pkg/subnet/kube/annotations.go` and `kube.go`).
 *
 * @module
 */
import { type Family, familyOf, type Ip, parseIp } from '../../model/ip.ts';
import type { LeaseRequest, LeaseRequestFamily } from '../../model/lease-source.ts';
import { type NetworkConfig, networkFamily } from '../../model/network.ts';
import { ok } from '../../model/result.ts';
import type { RawLease } from '../accept.ts';
import { formatVtep, parsePublicIp, parseVtep, TEXT_LENGTH_MAX } from '../attributes.ts';
import { parseCanonicalVtep } from '../canonical-attributes.ts';
import type { FamilyAttributes } from '../lease-attributes.ts';
import { quoted } from '../printable.ts';
import type { KubeNode } from './node.ts';

/** Names behind the prefix. */
export const ANNOTATION = {
  manager: 'kube-subnet-manager',
  type: 'backend-type',
  data: { 4: 'backend-data', 6: 'backend-v6-data' },
  publicIp: { 4: 'public-ip', 6: 'public-ipv6' },
  /** What a user or K3s wants to be told to peers instead. */
  overwrite: { 4: 'public-ip-overwrite', 6: 'public-ipv6-overwrite' },
  /** As `--public-ip` and `--public-ipv6`. */
  nodePublicIp: { 4: 'node-public-ip', 6: 'node-public-ipv6' },
} as const;

/** What says that there is no backend data: Go's marshalling of nothing. */
const NO_DATA = 'null';

type Annotations = KubeNode['annotations'];

/** What the own annotations are made of. */
export interface OwnAnnotationSources {
  readonly request: LeaseRequest;
  readonly network: NetworkConfig;
  /** What the Node has. */
  readonly annotations: Annotations;
  /** The Node's ExternalIP addresses, if peers are to be told those. */
  readonly externalIps: readonly string[];
}

/** What the own Node should say, by names behind the prefix; `undefined` for what should not be there. */
export function ownAnnotations(sources: OwnAnnotationSources): ReadonlyMap<string, string | undefined> {
  const { request, network } = sources;
  const wanted = new Map<string, string | undefined>([
    [ANNOTATION.manager, 'true'],
    [ANNOTATION.type, request.backendType],
  ]);
  for (const family of [4, 6] as const) {
    const half = family === 4 ? request.ipv4 : request.ipv6;
    // A family whose address is late keeps what its peers know of it.
    if (half === undefined && networkFamily(network, family) !== undefined) continue;
    wanted.set(ANNOTATION.data[family], dataOf(request.backendType, half, family));
    wanted.set(ANNOTATION.publicIp[family], publicIpOf(half, family, sources));
  }
  return wanted;
}

/** What is to be done to a Node that is no node of flannel any more; what users have set stays. */
export function noAnnotations(): ReadonlyMap<string, undefined> {
  const { manager, type, data, publicIp } = ANNOTATION;
  const names = [manager, type, data[4], data[6], publicIp[4], publicIp[6]];
  return new Map(names.map((name) => [name, undefined]));
}

/** Of every backend but vxlan flannel writes the IPv4 half always. */
function dataOf(type: string, half: LeaseRequestFamily | undefined, family: Family): string | undefined {
  if (type === 'vxlan') return half?.vtep && formatVtep(half.vtep);
  return half !== undefined || family === 4 ? NO_DATA : undefined;
}

function publicIpOf(
  half: LeaseRequestFamily | undefined,
  family: Family,
  { request, annotations, externalIps }: OwnAnnotationSources,
): string | undefined {
  if (half === undefined) return family === 4 && request.backendType !== 'vxlan' ? '0.0.0.0' : undefined;
  const overwrite = addressIn(annotations, ANNOTATION.overwrite[family], family);
  const external = externalIps.map(parseIp).find((ip) => ip !== undefined && familyOf(ip) === family);
  return overwrite ?? external ?? half.publicIp;
}

/** An address that an annotation holds; `undefined` if there is none, or no address of this family. */
export function addressIn(annotations: Annotations, name: string, family: Family): Ip | undefined {
  const ip = parseIp(annotations.get(name) ?? '');
  return ip !== undefined && familyOf(ip) === family ? ip : undefined;
}

/** The annotations that a person has set and that are no addresses, in words. */
export function annotationFaults(annotations: Annotations, prefix: string): string[] {
  const names = ([4, 6] as const).flatMap((family) =>
    [ANNOTATION.overwrite[family], ANNOTATION.nodePublicIp[family]].map((name) => ({ family, name })),
  );
  return names.flatMap(({ family, name }) => {
    const value = annotations.get(name);
    if (value === undefined || value === '' || addressIn(annotations, name, family) !== undefined) return [];
    return [`Annotation ${prefix}${name} ${quoted(value)} is no IPv${family} address, so it is passed over`];
  });
}

/** What has to be changed so that the Node says what it should; `undefined` if nothing has. */
export function annotationPatch(
  wanted: ReadonlyMap<string, string | undefined>,
  { annotations, prefix }: { readonly annotations: Annotations; readonly prefix: string },
): string | undefined {
  const changes = [...wanted].filter(([name, value]) => annotations.get(name) !== value);
  if (changes.length === 0) return undefined;
  // A strategic merge patch removes what is null.
  const entries = changes.map(([name, value]) => [`${prefix}${name}`, value ?? null]);
  return JSON.stringify({ metadata: { annotations: Object.fromEntries(entries) } });
}

/** A Node as a lease that nobody has judged yet; `undefined` if it has none. */
export function leaseOf(node: KubeNode): RawLease | undefined {
  const { name, createdS, annotations, podCidrs } = node;
  if (annotations.get(ANNOTATION.manager) !== 'true') return undefined;
  const backendType = (annotations.get(ANNOTATION.type) ?? '').toLowerCase();
  const half = (family: Family) => familyAttributes(family, annotations, backendType === 'vxlan');
  const [ipv4, ipv6] = [half(4), half(6)];
  return {
    node: name,
    order: createdS === 0 ? Number.MAX_SAFE_INTEGER : createdS,
    // A node of one family may have a podCIDR of both: of the other there is nothing to be said.
    subnet: ipv4 && podCidrs.find((cidr) => !cidr.includes(':')),
    subnetV6: ipv6 && podCidrs.find((cidr) => cidr.includes(':')),
    attributes: ok({ backendType, ipv4: ipv4 ?? NOTHING, ipv6: ipv6 ?? NOTHING }),
  };
}

const NOTHING: FamilyAttributes = { publicIp: undefined, vtep: undefined, fault: undefined };

/** `undefined` if the Node says nothing about this family. */
function familyAttributes(
  family: Family,
  annotations: Annotations,
  isVxlan: boolean,
): FamilyAttributes | undefined {
  const address = annotations.get(ANNOTATION.publicIp[family]);
  const data = annotations.get(ANNOTATION.data[family]);
  if (address === undefined && (data === undefined || data === NO_DATA)) return undefined;
  const publicIp = parsePublicIp(family, address);
  const vtep = isVxlan ? vtepIn(data) : ok(undefined);
  return {
    publicIp: publicIp.ok ? publicIp.value : undefined,
    vtep: vtep.ok ? vtep.value : undefined,
    fault: publicIp.ok ? (vtep.ok ? undefined : vtep.error) : publicIp.error,
  };
}

function vtepIn(data: string | undefined): ReturnType<typeof parseVtep> {
  const vtep = data === undefined ? undefined : parseCanonicalVtep(data);
  if (vtep !== undefined || data === undefined) return ok(vtep);
  if (data.length > TEXT_LENGTH_MAX) return parseVtep('too long');
  try {
    return parseVtep(JSON.parse(data));
  } catch {
    return parseVtep(data);
  }
}
