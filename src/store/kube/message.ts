/**
 * The messages of the Kubernetes API in its binary form, `application/vnd.kubernetes.protobuf`: events of a watch,
 * pages of a list, and what the server says when it refuses.
 *
 * @module
 */
import { type KubeNode, type NodeFilter, readMetadata, readNode } from './node.ts';
import { ProtoReader } from './protobuf.ts';

/** What a request accepts, and what the answer says that it is. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf';
/** The same for a watch. */
export const PROTOBUF_STREAM = `${PROTOBUF};stream=watch`;

/** What stands before every object (`protobuf.proto` of k8s.io/apimachinery: `k8s\0`, then `runtime.Unknown`). */
const MAGIC = Buffer.from('k8s\0');
const UNKNOWN_RAW = 2;

/** Why a server refuses, as `metav1.Status` has it. */
export interface Refusal {
  readonly code: number;
  /** Such as `Expired` or `Forbidden`. */
  readonly reason: string;
  readonly message: string;
  readonly retryAfterS: number;
}

/** One event of a watch. */
export type WatchEvent =
  | { readonly kind: 'put'; readonly node: KubeNode }
  | { readonly kind: 'gone'; readonly node: KubeNode }
  /** Everything up to this version has been told. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string; readonly isListEnd: boolean }
  | { readonly kind: 'error'; readonly refusal: Refusal };

/** One page of a list of Nodes. */
export interface NodePage {
  readonly nodes: readonly KubeNode[];
  readonly resourceVersion: string;
  /** Empty on the last page. */
  readonly next: string;
}

const EVENT = { type: 1, object: 2 } as const;
const LIST = { metadata: 1, items: 2 } as const;
const LIST_META = { resourceVersion: 2, continue: 3 } as const;
const STATUS = { message: 3, reason: 4, details: 5, code: 6 } as const;
const DETAILS = { retryAfterSeconds: 5 } as const;
/** `runtime.RawExtension`. */
const RAW = 1;
const ALL_ANNOTATIONS = Buffer.alloc(0);

/** The mark of the bookmark that ends the list at the beginning of a watch (KEP-3157). */
const LIST_END = 'k8s.io/initial-events-end';

/** Reads one frame of a watch; `undefined` if it cannot be read. */
export function readEvent(bytes: Buffer, { at, end }: Span, filter: NodeFilter): WatchEvent | undefined {
  const event = new ProtoReader(bytes, at, end);
  let type = '';
  let object: ProtoReader | undefined;
  while (event.next()) {
    if (event.field === EVENT.type) type = event.text();
    else if (event.field === EVENT.object) object = objectOf(event.message());
  }
  if (event.isBroken || object === undefined) return undefined;
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED': {
      const node = readNode(object, filter);
      return node && { kind: type === 'DELETED' ? 'gone' : 'put', node };
    }
    case 'BOOKMARK':
      return readBookmark(object);
    case 'ERROR':
      return { kind: 'error', refusal: readStatusMessage(object) };
    default:
      return undefined;
  }
}

/** Where a message is in a buffer. */
export interface Span {
  readonly at: number;
  readonly end: number;
}

/** Reads a page of a list; `undefined` if it cannot be read. */
export function readPage(bytes: Buffer, filter: NodeFilter): NodePage | undefined {
  const list = unwrap(bytes);
  if (list === undefined) return undefined;
  const nodes: KubeNode[] = [];
  let resourceVersion = '';
  let next = '';
  while (list.next()) {
    if (list.field === LIST.metadata) {
      const metadata = list.message();
      while (metadata.next()) {
        if (metadata.field === LIST_META.resourceVersion) resourceVersion = metadata.text();
        else if (metadata.field === LIST_META.continue) next = metadata.text();
      }
    } else if (list.field === LIST.items) {
      const node = readNode(list.message(), filter);
      if (node === undefined) return undefined;
      nodes.push(node);
    }
  }
  return list.isBroken ? undefined : { nodes, resourceVersion, next };
}

/** Reads a Node by itself, as a request for one or a patch answers; `undefined` if it cannot be read. */
export function readSingle(bytes: Buffer, filter: NodeFilter): KubeNode | undefined {
  const node = unwrap(bytes);
  return node && readNode(node, filter);
}

/** PodSpec is the second field of a Pod, and has the name of the node in its tenth. */
const POD = { spec: 2, nodeName: 10 } as const;

/** Reads the name of the node that a Pod runs on; `undefined` if it cannot be read or is not there. */
export function readPodNode(bytes: Buffer): string | undefined {
  const pod = unwrap(bytes);
  while (pod?.next()) {
    if (pod.field !== POD.spec) continue;
    const spec = pod.message();
    while (spec.next()) if (spec.field === POD.nodeName) return spec.text();
  }
  return undefined;
}

/** Reads a refusal; `undefined` if it cannot be read. */
export function readRefusal(bytes: Buffer): Refusal | undefined {
  const status = unwrap(bytes);
  return status && readStatusMessage(status);
}

function unwrap(bytes: Buffer): ProtoReader | undefined {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  return rawOf(new ProtoReader(bytes, MAGIC.length, bytes.length));
}

/** The object in a `RawExtension`. */
function objectOf(extension: ProtoReader): ProtoReader | undefined {
  while (extension.next())
    if (extension.field === RAW)
      return extension.startsWith(MAGIC) ? rawOf(extension.messageAfter(MAGIC.length)) : undefined;
  return undefined;
}

function rawOf(unknown: ProtoReader): ProtoReader | undefined {
  while (unknown.next()) if (unknown.field === UNKNOWN_RAW) return unknown.message();
  return undefined;
}

function readBookmark(node: ProtoReader): WatchEvent | undefined {
  while (node.next()) {
    // A Node of which there is nothing but metadata.
    if (node.field !== 1) continue;
    const { resourceVersion, annotations } = readMetadata(node.message(), ALL_ANNOTATIONS);
    return { kind: 'bookmark', resourceVersion, isListEnd: annotations.get(LIST_END) === 'true' };
  }
  return undefined;
}

function readStatusMessage(status: ProtoReader): Refusal {
  let refusal: Refusal = { code: 0, reason: '', message: '', retryAfterS: 0 };
  while (status.next()) {
    if (status.field === STATUS.message) refusal = { ...refusal, message: status.text() };
    else if (status.field === STATUS.reason) refusal = { ...refusal, reason: status.text() };
    else if (status.field === STATUS.code) refusal = { ...refusal, code: status.number() };
    else if (status.field === STATUS.details) {
      const details = status.message();
      while (details.next())
        if (details.field === DETAILS.retryAfterSeconds)
          refusal = { ...refusal, retryAfterS: details.number() };
    }
  }
  return refusal;
}
