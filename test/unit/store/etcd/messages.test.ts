/** The bodies that go to etcd's gateway and come from it, as they are. @module */
import { describe, expect, test } from 'bun:test';
import {
  encode,
  keysBelow,
  rangeBody,
  readError,
  readKey,
  readLease,
  readRange,
  readTxn,
  readWatch,
  txnBody,
  watchBody,
} from '../../../../src/store/etcd/messages.ts';

const DIRECTORY = '/coreos.com/network/subnets/';
const KEY = `${DIRECTORY}10.5.34.0-24`;

describe('requests, byte for byte', () => {
  test('one key', () => {
    expect(rangeBody(KEY)).toBe(
      '{"key":"L2NvcmVvcy5jb20vbmV0d29yay9zdWJuZXRzLzEwLjUuMzQuMC0yNA==","limit":"1"}',
    );
  });

  test('a page of a list, and the next at the same revision', () => {
    const keys = keysBelow(DIRECTORY);
    expect(keys.rangeEnd).toBe('/coreos.com/network/subnets0');
    expect(rangeBody(keys, { limit: 500 })).toBe(
      '{"key":"L2NvcmVvcy5jb20vbmV0d29yay9zdWJuZXRzLw==","range_end":"L2NvcmVvcy5jb20vbmV0d29yay9zdWJuZXRzMA==","limit":"500"}',
    );
    expect(rangeBody(keys, { limit: 500, from: encode(`${KEY}\0`), revision: 17 })).toBe(
      '{"key":"L2NvcmVvcy5jb20vbmV0d29yay9zdWJuZXRzLzEwLjUuMzQuMC0yNAA=","range_end":"L2NvcmVvcy5jb20vbmV0d29yay9zdWJuZXRzMA==","limit":"500","revision":"17"}',
    );
  });

  test('a new key, if nothing is below it', () => {
    const change = { kind: 'put', key: 'a-24', value: '{}', lease: '7587899173095916732' } as const;
    expect(txnBody({ target: 'absent', keys: keysBelow('a-24') }, change)).toBe(
      '{"compare":[{"key":"YS0yNA==","range_end":"YS0yNQ==","target":"VERSION","result":"EQUAL","version":"0"}],"success":[{"request_put":{"key":"YS0yNA==","value":"e30=","lease":"7587899173095916732"}}]}',
    );
  });

  test('a change of a key that is as it was, which keeps its lease', () => {
    const compare = { target: 'unchanged', keys: 'a', modRevision: 12 } as const;
    expect(txnBody(compare, { kind: 'put', key: 'a', value: 'b', lease: undefined })).toBe(
      '{"compare":[{"key":"YQ==","target":"MOD","result":"EQUAL","mod_revision":"12"}],"success":[{"request_put":{"key":"YQ==","value":"Yg==","ignore_lease":true}}]}',
    );
    expect(txnBody(compare, { kind: 'delete', key: 'a' })).toContain(
      '"success":[{"request_delete_range":{"key":"YQ=="}}]',
    );
  });

  test('a watch', () => {
    expect(watchBody(keysBelow('a/'), 9)).toBe(
      '{"create_request":{"key":"YS8=","range_end":"YTA=","start_revision":"9","progress_notify":true,"fragment":true}}',
    );
  });
});

/** As etcd 3.4.23 and 3.6 have said it. */
describe('answers', () => {
  const header = { cluster_id: '14841639068965178418', member_id: '1', revision: '228', raft_term: '2' };

  test('a list', () => {
    const kvs = [
      { key: 'L2EvMQ==', create_revision: '227', mod_revision: '228', version: '1', value: 'eA==' },
      { key: 'L2EvMv8=', create_revision: '3', mod_revision: '9', lease: '7587899173095916732' },
    ];
    expect(readRange({ header, kvs, more: true, count: '9' })).toEqual({
      ok: true,
      value: {
        clusterId: '14841639068965178418',
        revision: 228,
        keyValues: [
          { key: '/a/1', value: 'x', createRevision: 227, modRevision: 228, lease: '0' },
          { key: '/a/2\ufffd', value: '', createRevision: 3, modRevision: 9, lease: '7587899173095916732' },
        ],
        // Of the bytes, not of the text.
        next: 'L2EvMv8A',
      },
    });
    expect(readRange({ header })).toMatchObject({ ok: true, value: { keyValues: [], next: undefined } });
  });

  test('more of a value than a lease may have is left', () => {
    const long = { key: 'YQ==', create_revision: '1', mod_revision: '1', value: encode('x'.repeat(50_000)) };
    const read = (result: ReturnType<typeof readRange>) =>
      result.ok && result.value.keyValues[0]?.value.length;
    expect(read(readRange({ header, kvs: [long] }))).toBe(6_144);
    expect(read(readKey({ header, kvs: [long] }))).toBe(50_000);
  });

  test.each([
    [null, 'the answer is no object'],
    [[], 'the answer has no header'],
    [{ header: {}, kvs: {} }, 'kvs is no list'],
    [{ header, kvs: [{ key: 1 }] }, 'a key has not the form of one'],
    [{ header, kvs: [{ key: 'YQ==', create_revision: '1e3' }] }, 'a key has not the form of one'],
    [{ header: { revision: 7 } }, 'the revision is no number'],
  ])('%j is no list', (json, error) => {
    expect(readRange(json)).toEqual({ ok: false, error });
  });

  test('a transaction', () => {
    expect(readTxn({ header, succeeded: true, responses: [] })).toEqual({ ok: true, value: 228 });
    expect(readTxn({ header })).toEqual({ ok: true, value: undefined });
  });

  test('a lease, and none', () => {
    expect(readLease({ header, ID: '7587899173095916732', TTL: '86400' })).toEqual({
      ok: true,
      value: { id: '7587899173095916732', ttlSeconds: 86_400 },
    });
    expect(readLease({ header, ID: '12' })).toMatchObject({ value: { ttlSeconds: 0 } });
    expect(readLease({ header })).toEqual({ ok: false, error: 'the answer names no lease' });
  });

  test('a watch', () => {
    const kv = { key: 'YQ==', create_revision: '228', mod_revision: '229', version: '1', value: 'eA==' };
    expect(readWatch({ result: { header, created: true } })).toMatchObject({
      value: { kind: 'created', revision: 228 },
    });
    const events = [{ kv }, { type: 'DELETE', kv: { key: 'YQ==', mod_revision: '230' } }];
    expect(readWatch({ result: { header, events } })).toMatchObject({
      value: {
        kind: 'events',
        events: [{ isDelete: false, keyValue: { key: 'a', value: 'x' } }, { isDelete: true }],
        // The header may be ahead, or behind.
        revision: 230,
      },
    });
    const part = readWatch({ result: { header, events, fragment: true } });
    expect(part).toMatchObject({ value: { kind: 'events', revision: undefined } });
    expect(readWatch({ result: { header } })).toMatchObject({ value: { events: [], revision: 228 } });
    const compacted = { result: { header, canceled: true, compact_revision: '2' } };
    expect(readWatch(compacted)).toEqual({ ok: true, value: { kind: 'compacted' } });
    const canceled = { result: { header, canceled: true, cancel_reason: 'etcdserver: no leader' } };
    expect(readWatch(canceled)).toEqual({
      ok: true,
      value: { kind: 'canceled', code: 0, text: 'etcdserver: no leader' },
    });
    const error = { grpc_code: 14, http_code: 503, message: 'x', http_status: 'y' };
    expect(readWatch({ error })).toEqual({ ok: true, value: { kind: 'canceled', code: 14, text: 'x' } });
    expect(readWatch({ result: { header, events: [{ type: 'MOVE', kv }] } })).toMatchObject({ ok: false });
  });

  test.each([
    [
      { error: 'e', code: 16, message: 'etcdserver: invalid auth token' },
      16,
      'etcdserver: invalid auth token',
    ],
    [{ code: 9, message: 'm', details: [] }, 9, 'm'],
    ['plain', 0, 'plain'],
    [undefined, 0, ''],
  ])('a refusal: %j', (json, code, text) => {
    expect(readError(json)).toEqual({ code, text });
  });
});
