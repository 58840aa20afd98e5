/**
 * Requests to etcd's JSON gateway and its answers (`rpc.proto` of etcd, in protobuf's JSON form): bytes are base64,
 * numbers of 64 bits are strings, and what is zero is left out.
 *
 * Answers are checked by hand, member by member: a tree of 5,000 leases through a schema takes longer than all that
 * is done with it.
 *
 * @module
 */
import { fail, ok, type Result } from '../../model/result.ts';

/** A key and what it holds. */
export interface KeyValue {
  readonly key: string;
  /** Cut to what a lease's attributes may be and a little more. */
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** The etcd lease that the key goes with; `0` if none. A number of 64 bits, so text. */
  readonly lease: string;
}

/** Keys from `key` up to, but without, `rangeEnd`. */
export interface KeyRange {
  readonly key: string;
  readonly rangeEnd: string;
}

/** One page of a list. */
export interface RangePage {
  readonly clusterId: string;
  /** The store's revision when it was read. */
  readonly revision: number;
  readonly keyValues: readonly KeyValue[];
  /** Where the next page begins, in base64; `undefined` if this is the last. */
  readonly next: string | undefined;
}

/** What a lease of etcd has left. */
export interface EtcdLease {
  readonly id: string;
  /** 0 if there is no such lease any more. */
  readonly ttlSeconds: number;
}

/** A change of a key. */
export interface KeyEvent {
  readonly isDelete: boolean;
  /** Of a deletion, only key and `modRevision` say something. */
  readonly keyValue: KeyValue;
}

/** One answer on a watch. */
export type WatchAnswer =
  | { readonly kind: 'created'; readonly clusterId: string; readonly revision: number }
  | {
      readonly kind: 'events';
      readonly events: readonly KeyEvent[];
      /** Everything up to this revision is told; `undefined` if more of it is to come. */
      readonly revision: number | undefined;
    }
  | { readonly kind: 'compacted' }
  | { readonly kind: 'canceled'; readonly code: number; readonly text: string };

/** More of a value than this is not decoded: attributes that long are refused (`TEXT_LENGTH_MAX`). */
const BASE64_LENGTH_MAX = 8192;

const ZERO = Buffer.alloc(1);

/** Text as the gateway takes bytes. */
export function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** The keys that begin with a text in ASCII. */
export function keysBelow(prefix: string): KeyRange {
  const last = prefix.charCodeAt(prefix.length - 1);
  return { key: prefix, rangeEnd: prefix.slice(0, -1) + String.fromCharCode(last + 1) };
}

/** Which part of a list. */
export interface Page {
  readonly limit: number;
  /** Where it begins, in base64; at the beginning if absent. */
  readonly from?: string | undefined;
  /** At which revision; at the newest if absent. */
  readonly revision?: number | undefined;
}

/** The body of `/v3/kv/range` for a key, or a page of many. */
export function rangeBody(keys: KeyRange | string, { limit, from, revision }: Page = { limit: 1 }): string {
  return JSON.stringify({
    ...rangeOf(keys),
    ...(from === undefined ? {} : { key: from }),
    limit: String(limit),
    ...(revision === undefined ? {} : { revision: String(revision) }),
  });
}

/** What a transaction depends on. */
export type Compare =
  | { readonly target: 'absent'; readonly keys: KeyRange | string }
  | { readonly target: 'unchanged'; readonly keys: string; readonly modRevision: number };

/** What a transaction does. A put without a lease keeps the one that the key has, or has none. */
export type Change =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease: string | undefined }
  | { readonly kind: 'delete'; readonly key: string };

/** The body of `/v3/kv/txn` for one change under one condition. */
export function txnBody(compare: Compare, change: Change): string {
  const condition =
    compare.target === 'absent'
      ? { ...rangeOf(compare.keys), target: 'VERSION', result: 'EQUAL', version: '0' }
      : {
          ...rangeOf(compare.keys),
          target: 'MOD',
          result: 'EQUAL',
          mod_revision: String(compare.modRevision),
        };
  return JSON.stringify({ compare: [condition], success: [operation(change)] });
}

/** The body of `/v3/watch`. */
export function watchBody(keys: KeyRange, startRevision: number): string {
  return JSON.stringify({
    create_request: {
      ...rangeOf(keys),
      start_revision: String(startRevision),
      progress_notify: true,
      fragment: true,
    },
  });
}

/** Reads an answer of `/v3/kv/range` for one key, whose value is given whole. */
export function readKey(json: unknown): Result<RangePage, string> {
  return readRange(json, Number.POSITIVE_INFINITY);
}

/** Reads an answer of `/v3/kv/range`. */
export function readRange(json: unknown, base64LengthMax = BASE64_LENGTH_MAX): Result<RangePage, string> {
  if (!isRecord(json)) return fail('the answer is no object');
  const { header, kvs = [], more = false } = json;
  if (!isRecord(header)) return fail('the answer has no header');
  if (!Array.isArray(kvs)) return fail('kvs is no list');
  const list: readonly unknown[] = kvs;
  const keyValues: KeyValue[] = [];
  for (const each of list) {
    const keyValue = readKeyValue(each, base64LengthMax);
    if (keyValue === undefined) return fail('a key has not the form of one');
    keyValues.push(keyValue);
  }
  const revision = revisionOf(header);
  if (revision === undefined) return fail('the revision is no number');
  return ok({
    clusterId: textAt(header, 'cluster_id') ?? '',
    revision,
    keyValues,
    next: more === true ? keyAfter(list.at(-1)) : undefined,
  });
}

/** Reads an answer of `/v3/kv/txn`: the revision at which it happened, or `undefined` if the condition was not met. */
export function readTxn(json: unknown): Result<number | undefined, string> {
  if (!isRecord(json)) return fail('the answer is no object');
  const { header, succeeded } = json;
  const revision = revisionOf(header);
  if (revision === undefined) return fail('the revision is no number');
  return ok(succeeded === true ? revision : undefined);
}

/** Reads an answer of `/v3/lease/grant`, or what is within one of `/v3/lease/keepalive`. */
export function readLease(json: unknown): Result<EtcdLease, string> {
  if (!isRecord(json)) return fail('the answer is no object');
  const { ID: id, TTL: ttl } = json;
  const ttlSeconds = integer(ttl);
  if (typeof id !== 'string' || !/^-?\d{1,20}$/.test(id) || ttlSeconds === undefined)
    return fail('the answer names no lease');
  return ok({ id, ttlSeconds });
}

/** Reads one line of `/v3/watch`. */
export function readWatch(json: unknown): Result<WatchAnswer, string> {
  if (!isRecord(json)) return fail('the answer is no object');
  const { result, error } = json;
  if (error !== undefined) return ok({ kind: 'canceled', ...readError(error) });
  if (!isRecord(result)) return fail('the answer has no result');
  const { header, created, canceled, cancel_reason: reason, compact_revision: compacted } = result;
  if (canceled === true) {
    if (compacted !== undefined && compacted !== '0') return ok({ kind: 'compacted' });
    return ok({ kind: 'canceled', code: 0, text: typeof reason === 'string' ? reason : 'watch canceled' });
  }
  const revision = revisionOf(header);
  if (revision === undefined) return fail('the revision is no number');
  if (created === true)
    return ok({ kind: 'created', clusterId: textAt(header, 'cluster_id') ?? '', revision });
  const { events = [], fragment } = result;
  if (!Array.isArray(events)) return fail('events is no list');
  const list: readonly unknown[] = events;
  const read: KeyEvent[] = [];
  for (const each of list) {
    const event = readEvent(each);
    if (event === undefined) return fail('an event has not the form of one');
    read.push(event);
  }
  // With events, the header may be ahead of what has been told.
  const told = read.at(-1)?.keyValue.modRevision ?? revision;
  return ok({ kind: 'events', events: read, revision: fragment === true ? undefined : told });
}

/** What a refusal says: `{error, code, message}`, in whichever of the two forms of the gateway. */
export function readError(json: unknown): { readonly code: number; readonly text: string } {
  if (typeof json === 'string') return { code: 0, text: json };
  if (!isRecord(json)) return { code: 0, text: '' };
  const { code, grpc_code: grpcCode, message, error } = json;
  const text = [message, error].find((each) => typeof each === 'string');
  const number = [grpcCode, code].find((each) => typeof each === 'number');
  return {
    code: typeof number === 'number' ? number : 0,
    text: typeof text === 'string' ? text : '',
  };
}

/** The text at a member of an object, if both are there. */
export function textAt(json: unknown, name: string): string | undefined {
  const value = isRecord(json) ? json[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** The member of an object, if it is one. */
export function memberOf(json: unknown, name: string): unknown {
  return isRecord(json) ? json[name] : undefined;
}

function rangeOf(keys: KeyRange | string) {
  if (typeof keys === 'string') return { key: encode(keys) };
  return { key: encode(keys.key), range_end: encode(keys.rangeEnd) };
}

function operation(change: Change) {
  if (change.kind === 'delete') return { request_delete_range: { key: encode(change.key) } };
  const { key, value, lease } = change;
  const put = { key: encode(key), value: encode(value) };
  return { request_put: lease === undefined ? { ...put, ignore_lease: true } : { ...put, lease } };
}

function isRecord(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null;
}

function readKeyValue(json: unknown, base64LengthMax = BASE64_LENGTH_MAX): KeyValue | undefined {
  if (!isRecord(json)) return undefined;
  const { key, value = '', create_revision: created, mod_revision: modified, lease = '0' } = json;
  const createRevision = integer(created);
  const modRevision = integer(modified);
  if (typeof key !== 'string' || typeof value !== 'string' || typeof lease !== 'string') return undefined;
  if (createRevision === undefined || modRevision === undefined) return undefined;
  return {
    key: Buffer.from(key, 'base64').toString(),
    value: Buffer.from(value.slice(0, base64LengthMax), 'base64').toString(),
    createRevision,
    modRevision,
    lease,
  };
}

function readEvent(json: unknown): KeyEvent | undefined {
  if (!isRecord(json)) return undefined;
  const { type = 'PUT', kv } = json;
  const keyValue = readKeyValue(kv);
  if (keyValue === undefined || (type !== 'PUT' && type !== 'DELETE')) return undefined;
  return { isDelete: type === 'DELETE', keyValue };
}

/** The key that follows this one: by its bytes, which need not be text. */
function keyAfter(json: unknown): string | undefined {
  const key = textAt(json, 'key');
  return key === undefined ? undefined : Buffer.concat([Buffer.from(key, 'base64'), ZERO]).toString('base64');
}

function revisionOf(header: unknown): number | undefined {
  return isRecord(header) ? integer(memberOf(header, 'revision')) : undefined;
}

/** A number of 64 bits that is not negative; what is left out is 0. */
function integer(json: unknown): number | undefined {
  if (json === undefined) return 0;
  return typeof json === 'string' && /^\d{1,16}$/.test(json) ? Number(json) : undefined;
}
