/**
 * Kubernetes' messages as a server puts them together, for tests: every part can be left out or be wrong.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeNode, NodeFilter } from '../../../../src/store/kube/node.ts';

/** flannel's own. */
export const PREFIX = 'flannel.alpha.coreos.com/';

/** Whose Nodes are read by a node with this name. */
export function filterOf(own = 'me', prefix = PREFIX): NodeFilter {
  return { prefix: Buffer.from(prefix), own };
}

/** A number as protocol buffers write it. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** A field: a number as a varint, all else with its length. */
export function field(number: number, value: number | string | Buffer): Buffer {
  if (typeof value === 'number') return Buffer.concat([varint(number * 8), varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

/** Fields in a row. */
export function message(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields);
}

/** What a test Node is made of. */
export interface NodeParts {
  readonly name?: string;
  readonly uid?: string;
  readonly version?: string;
  readonly createdS?: number;
  /** With their prefixes. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly podCidr?: string;
  readonly podCidrs?: readonly string[];
  readonly addresses?: readonly (readonly [type: string, address: string])[];
  readonly conditions?: readonly (readonly [type: string, status: string, reason: string])[];
}

/** A Node as bytes, with a few fields that nobody wants. */
export function nodeBytes(parts: NodeParts): Buffer {
  const { name = 'a', uid = 'u', version = '1', createdS = 1_000, annotations = {}, podCidrs = [] } = parts;
  const entries = Object.entries(annotations).map(([key, value]) =>
    field(12, message(field(1, key), field(2, value))),
  );
  const metadata = message(
    field(1, name),
    field(5, uid),
    field(6, version),
    field(8, message(field(1, createdS))),
    field(11, message(field(1, 'label'), field(2, 'x'))),
    ...entries,
  );
  const one = parts.podCidr === undefined ? [] : [field(1, parts.podCidr)];
  const spec = message(...one, field(3, 'provider://x'), ...podCidrs.map((each) => field(7, each)));
  const conditions = (parts.conditions ?? []).map(([type, status, reason]) =>
    field(4, message(field(1, type), field(2, status), field(3, message(field(1, 7))), field(5, reason))),
  );
  const addresses = (parts.addresses ?? []).map(([type, address]) =>
    field(5, message(field(1, type), field(2, address))),
  );
  return message(field(1, metadata), field(2, spec), field(3, message(...conditions, ...addresses)));
}

/** `metav1.Status`. */
export function statusBytes({ code = 0, reason = '', message: text = '', retryAfterS = 0 }): Buffer {
  return message(
    field(2, 'Failure'),
    field(3, text),
    field(4, reason),
    field(5, message(field(1, 'nodes'), field(5, retryAfterS))),
    field(6, code),
  );
}

/** An object with what stands before it. */
export function wrapped(kind: string, object: Buffer): Buffer {
  const type = message(field(1, 'v1'), field(2, kind));
  return Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, object), field(3, ''), field(4, '')]);
}

/** An event of a watch, without its length. */
export function eventBytes(type: string, object: Buffer, kind = 'Node'): Buffer {
  return message(field(1, type), field(2, message(field(1, wrapped(kind, object)))));
}

/** A bookmark, without its length; the one that ends a list if asked for. */
export function bookmarkBytes(version: string, isListEnd = false): Buffer {
  const end = message(field(1, 'k8s.io/initial-events-end'), field(2, 'true'));
  const metadata = message(field(6, version), ...(isListEnd ? [field(12, end)] : []));
  return eventBytes('BOOKMARK', message(field(1, metadata), field(2, Buffer.alloc(0))));
}

/** A message with its length before it. */
export function frame(bytes: Uint8Array, length = bytes.length): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Buffer.concat([head, bytes]);
}

/** A page of a list. */
export function pageBytes(nodes: readonly Buffer[], { version = '1', next = '' } = {}): Buffer {
  const metadata = message(field(2, version), field(3, next));
  return wrapped('NodeList', message(field(1, metadata), ...nodes.map((node) => field(2, node))));
}

/** A Node that has been read, with annotations by the names behind the prefix. */
export function nodeOf(
  annotations: Readonly<Record<string, string>> = {},
  different: Partial<KubeNode> = {},
): KubeNode {
  return {
    name: 'a',
    uid: 'u',
    resourceVersion: '1',
    createdS: 1_000,
    annotations: new Map(Object.entries(annotations)),
    podCidrs: ['10.3.1.0/24', 'fc00:0:0:1::/64'],
    status: undefined,
    ...different,
  };
}

const SAMPLES = join(import.meta.dir, '../../../kube/samples');

/** An event of a real server, in the binary form with its length and in JSON. */
export function sample(name: 'thin-node' | 'fat-node' | 'bookmark' | 'gone') {
  const json: unknown = JSON.parse(readFileSync(join(SAMPLES, `${name}.jsonl`), 'utf8'));
  return { bytes: readFileSync(join(SAMPLES, `${name}.bin`)), json };
}
