/**
 * A Node, reduced to what a lease is made of while it is read.
 *
 * Field numbers are those of Kubernetes' `generated.proto` (k8s.io/api/core/v1, k8s.io/apimachinery meta/v1).
 *
 * @module
 */
import type { ProtoReader } from './protobuf.ts';

/** See the module. */
export interface KubeNode {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Seconds since the epoch; 0 if the server did not say. */
  readonly createdS: number;
  /** Those of our prefix, by the names behind it. */
  readonly annotations: ReadonlyMap<string, string>;
  /** Such as `10.42.1.0/24`, at most two of which are of use. */
  readonly podCidrs: readonly string[];
  /** Read only of the own node. */
  readonly status: NodeStatus | undefined;
}

/** What is of interest of a Node's status. */
export interface NodeStatus {
  /** Addresses of type ExternalIP. */
  readonly externalIps: readonly string[];
  /** Condition NetworkUnavailable, if there is any. */
  readonly networkUnavailable: { readonly status: string; readonly reason: string } | undefined;
}

/** Which part of Nodes is read. */
export interface NodeFilter {
  /** The beginning of annotations' names. */
  readonly prefix: Buffer;
  /** The node whose status is read too. */
  readonly own: string;
}

/** A Node has a handful of ours; more is somebody's joke. */
const ANNOTATIONS_MAX = 64;
const CIDRS_MAX = 16;
const ADDRESSES_MAX = 16;

const NODE = { metadata: 1, spec: 2, status: 3 } as const;
const METADATA = { name: 1, uid: 5, resourceVersion: 6, creationTimestamp: 8, annotations: 12 } as const;
const SPEC = { podCIDR: 1, podCIDRs: 7 } as const;
const STATUS = { conditions: 4, addresses: 5 } as const;
const CONDITION = { type: 1, status: 2, reason: 5 } as const;
const ADDRESS = { type: 1, address: 2 } as const;
const ENTRY = { key: 1, value: 2 } as const;

/** What the metadata of any object say; annotations only of the filter's prefix. */
export interface Metadata {
  name: string;
  uid: string;
  resourceVersion: string;
  createdS: number;
  readonly annotations: Map<string, string>;
}

/** Reads a Node; `undefined` if it is broken or has no name. */
export function readNode(node: ProtoReader, filter: NodeFilter): KubeNode | undefined {
  let metadata: Metadata | undefined;
  let podCidrs: readonly string[] = [];
  let status: NodeStatus | undefined;
  while (node.next()) {
    const part = node.message();
    if (node.field === NODE.metadata) metadata = readMetadata(part, filter.prefix);
    else if (node.field === NODE.spec) podCidrs = readPodCidrs(part);
    else if (node.field === NODE.status && metadata?.name === filter.own) status = readStatus(part);
    if (part.isBroken) return undefined;
  }
  if (node.isBroken || metadata === undefined || metadata.name === '') return undefined;
  return { ...metadata, podCidrs, status };
}

/** Reads `metav1.ObjectMeta`. */
export function readMetadata(from: ProtoReader, prefix: Buffer): Metadata {
  const annotations = new Map<string, string>();
  const metadata: Metadata = { name: '', uid: '', resourceVersion: '', createdS: 0, annotations };
  while (from.next()) {
    switch (from.field) {
      case METADATA.name:
        metadata.name = from.text();
        break;
      case METADATA.uid:
        metadata.uid = from.text();
        break;
      case METADATA.resourceVersion:
        metadata.resourceVersion = from.text();
        break;
      case METADATA.creationTimestamp:
        metadata.createdS = firstNumber(from.message());
        break;
      case METADATA.annotations:
        if (annotations.size < ANNOTATIONS_MAX) readAnnotation(from.message(), prefix, annotations);
        break;
    }
  }
  return metadata;
}

function readAnnotation(entry: ProtoReader, prefix: Buffer, into: Map<string, string>): void {
  let name: string | undefined;
  let value = '';
  while (entry.next()) {
    if (entry.field === ENTRY.key) {
      if (!entry.startsWith(prefix)) return;
      name = entry.textAfter(prefix.length);
    } else if (entry.field === ENTRY.value) value = entry.text();
  }
  if (name !== undefined) into.set(name, value);
}

/** The list if there is one, else the single one, as flannel reads them. */
function readPodCidrs(spec: ProtoReader): readonly string[] {
  let one = '';
  const all: string[] = [];
  while (spec.next()) {
    if (spec.field === SPEC.podCIDR) one = spec.text();
    else if (spec.field === SPEC.podCIDRs && all.length < CIDRS_MAX) all.push(spec.text());
  }
  if (all.length > 0) return all;
  return one === '' ? [] : [one];
}

function readStatus(from: ProtoReader): NodeStatus {
  const externalIps: string[] = [];
  let networkUnavailable: NodeStatus['networkUnavailable'];
  while (from.next()) {
    if (from.field === STATUS.addresses && externalIps.length < ADDRESSES_MAX) {
      const [type, address] = readTexts(from.message(), ADDRESS.type, ADDRESS.address);
      if (type === 'ExternalIP') externalIps.push(address);
    } else if (from.field === STATUS.conditions) {
      const [type] = readTexts(from.message(), CONDITION.type, CONDITION.status);
      if (type !== 'NetworkUnavailable') continue;
      const [status, reason] = readTexts(from.message(), CONDITION.status, CONDITION.reason);
      networkUnavailable = { status, reason };
    }
  }
  return { externalIps, networkUnavailable };
}

/** Two string fields of a message. */
function readTexts(from: ProtoReader, first: number, second: number): [string, string] {
  const texts: [string, string] = ['', ''];
  while (from.next()) {
    if (from.field === first) texts[0] = from.text();
    else if (from.field === second) texts[1] = from.text();
  }
  return texts;
}

/** The field with the number 1, a varint: seconds of a time. */
function firstNumber(from: ProtoReader): number {
  while (from.next()) if (from.field === 1) return from.number();
  return 0;
}
