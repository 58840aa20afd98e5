/** Messages of the API server: a real one's in both encodings, and those that no real one sends. @module */
import { describe, expect, test } from 'bun:test';
import * as v from 'valibot';
import {
  readEvent,
  readPage,
  readPodNode,
  readRefusal,
  readSingle,
  type WatchEvent,
} from '../../../../src/store/kube/message.ts';
import type { KubeNode } from '../../../../src/store/kube/node.ts';
import {
  bookmarkBytes,
  eventBytes,
  field,
  filterOf,
  message,
  nodeBytes,
  PREFIX,
  pageBytes,
  sample,
  statusBytes,
  wrapped,
} from './wire.ts';

function eventIn(bytes: Buffer, own = 'me'): WatchEvent | undefined {
  return readEvent(bytes, { at: 0, end: bytes.length }, filterOf(own));
}

const nodeSchema = v.object({
  type: v.literal('ADDED'),
  object: v.object({
    metadata: v.object({
      name: v.string(),
      uid: v.string(),
      resourceVersion: v.string(),
      creationTimestamp: v.string(),
      annotations: v.record(v.string(), v.string()),
    }),
    spec: v.object({ podCIDRs: v.array(v.string()) }),
    status: v.object({ addresses: v.array(v.object({ type: v.string(), address: v.string() })) }),
  }),
});

/** What should be read of a Node, by what the server says of it in JSON. */
function expected(json: unknown, isOwn: boolean): KubeNode {
  const { metadata, spec, status } = v.parse(nodeSchema, json).object;
  const ours = Object.entries(metadata.annotations).filter(([name]) => name.startsWith(PREFIX));
  const external = status.addresses.filter(({ type }) => type === 'ExternalIP');
  return {
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    createdS: Date.parse(metadata.creationTimestamp) / 1000,
    annotations: new Map(ours.map(([name, value]) => [name.slice(PREFIX.length), value])),
    podCidrs: spec.podCIDRs,
    status: isOwn
      ? { externalIps: external.map(({ address }) => address), networkUnavailable: undefined }
      : undefined,
  };
}

describe("a real server's events", () => {
  test.each(['thin-node', 'fat-node'] as const)('%s, as another node and as the own one', (name) => {
    const { bytes, json } = sample(name);
    const span = { at: 4, end: bytes.length };
    expect(readEvent(bytes, span, filterOf('me'))).toEqual({ kind: 'put', node: expected(json, false) });
    const own = v.parse(nodeSchema, json).object.metadata.name;
    expect(readEvent(bytes, span, filterOf(own))).toEqual({ kind: 'put', node: expected(json, true) });
  });

  test('the bookmark that ends the list', () => {
    const { bytes, json } = sample('bookmark');
    expect(json).toMatchObject({ object: { metadata: { resourceVersion: '201' } } });
    expect(readEvent(bytes, { at: 4, end: bytes.length }, filterOf())).toEqual({
      kind: 'bookmark',
      resourceVersion: '201',
      isListEnd: true,
    });
  });

  test('a version that is forgotten', () => {
    const { bytes, json } = sample('gone');
    const refusal = { code: 410, reason: 'Expired', message: 'too old resource version: 1 (201)' };
    expect(json).toMatchObject({ object: refusal });
    expect(readEvent(bytes, { at: 4, end: bytes.length }, filterOf())).toEqual({
      kind: 'error',
      refusal: { ...refusal, retryAfterS: 0 },
    });
  });

  test.each(['thin-node', 'bookmark', 'gone'] as const)('%s, cut off anywhere, throws nothing', (name) => {
    const { bytes } = sample(name);
    for (let end = 4; end < bytes.length; end++) {
      const event = readEvent(bytes, { at: 4, end }, filterOf());
      // The frame says how long its object is, so nothing that is cut off is taken for whole.
      expect(event).toBeUndefined();
    }
  });
});

describe('events', () => {
  test('a Node that goes', () => {
    expect(eventIn(eventBytes('DELETED', nodeBytes({ name: 'b' })))).toMatchObject({
      kind: 'gone',
      node: { name: 'b' },
    });
    expect(eventIn(eventBytes('MODIFIED', nodeBytes({ name: 'b' })))).toMatchObject({ kind: 'put' });
  });

  test('a bookmark in between', () => {
    expect(eventIn(bookmarkBytes('77'))).toEqual({
      kind: 'bookmark',
      resourceVersion: '77',
      isListEnd: false,
    });
  });

  test('a server that names a pause', () => {
    const status = statusBytes({ code: 429, reason: 'TooManyRequests', message: 'later', retryAfterS: 3 });
    expect(eventIn(eventBytes('ERROR', status, 'Status'))).toEqual({
      kind: 'error',
      refusal: { code: 429, reason: 'TooManyRequests', message: 'later', retryAfterS: 3 },
    });
  });

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['no object', field(1, 'ADDED')],
    ['another type', eventBytes('RENAMED', nodeBytes({}))],
    ['no type', eventBytes('', nodeBytes({}))],
    [
      'an object without what stands before it',
      message(field(1, 'ADDED'), field(2, field(1, nodeBytes({})))),
    ],
    ['no object behind the magic', message(field(1, 'ADDED'), field(2, field(1, Buffer.from('k8s\0'))))],
    ['JSON', Buffer.from('{"type":"ADDED","object":{"kind":"Node"}}')],
    ['a Node without a name', eventBytes('ADDED', nodeBytes({ name: '' }))],
    ['a Node without metadata', eventBytes('ADDED', message())],
    ['a bookmark without metadata', eventBytes('BOOKMARK', message())],
  ])('%s is none', (_, bytes) => {
    expect(eventIn(bytes)).toBeUndefined();
  });
});

describe('pages of a list', () => {
  test('with what comes next', () => {
    const nodes = ['a', 'b'].map((name) => nodeBytes({ name }));
    expect(readPage(pageBytes(nodes, { version: '9', next: 'more' }), filterOf())).toMatchObject({
      nodes: [{ name: 'a' }, { name: 'b' }],
      resourceVersion: '9',
      next: 'more',
    });
  });

  test('an empty one', () => {
    expect(readPage(pageBytes([]), filterOf())).toEqual({ nodes: [], resourceVersion: '1', next: '' });
  });

  test('one that is cut off, or has one bad Node, is none', () => {
    const page = pageBytes([nodeBytes({})]);
    for (const end of [0, 3, 4, 10, page.length - 20]) {
      const cut = page.subarray(0, end);
      expect(readPage(cut, filterOf())).toBeUndefined();
    }
    expect(readPage(pageBytes([nodeBytes({}), nodeBytes({ name: '' })]), filterOf())).toBeUndefined();
  });
});

describe('single answers', () => {
  test('a Node', () => {
    expect(readSingle(wrapped('Node', nodeBytes({ name: 'b' })), filterOf())).toMatchObject({ name: 'b' });
    expect(readSingle(nodeBytes({}), filterOf())).toBeUndefined();
  });

  test('the node of a Pod', () => {
    const pod = message(
      field(1, message(field(1, 'pod'))),
      field(2, message(field(1, 'x'), field(10, 'pi'))),
    );
    expect(readPodNode(wrapped('Pod', pod))).toBe('pi');
    expect(readPodNode(wrapped('Pod', message(field(2, message(field(1, 'x'))))))).toBeUndefined();
    expect(readPodNode(Buffer.from('{}'))).toBeUndefined();
  });

  test('a refusal', () => {
    const status = { code: 403, reason: 'Forbidden', message: 'no', retryAfterS: 0 };
    expect(readRefusal(wrapped('Status', statusBytes(status)))).toEqual(status);
    expect(readRefusal(Buffer.from('{}'))).toBeUndefined();
  });
});
