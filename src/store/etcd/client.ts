/**
 * What the lease store asks of etcd.
 *
 * @module
 */
import { fail, ok, type Result } from '../../model/result.ts';
import type { EtcdFailure } from './failure.ts';
import type { Gateway } from './gateway.ts';
import {
  type Change,
  type Compare,
  type EtcdLease,
  type KeyRange,
  type KeyValue,
  memberOf,
  type RangePage,
  rangeBody,
  readKey,
  readLease,
  readRange,
  readTxn,
  txnBody,
} from './messages.ts';

/** Keys in one answer: a list of thousands is read without ever being in memory whole. */
const PAGE = 500;

const NO_PAGE: EtcdFailure = { kind: 'malformed', message: 'No page of a list was read' };

/** When a list was read. */
export type ListHeader = Pick<RangePage, 'clusterId' | 'revision'>;

/** See the module. */
export class EtcdClient {
  readonly gateway: Gateway;

  constructor(gateway: Gateway) {
    this.gateway = gateway;
  }

  /** One key, `undefined` if it is not there. */
  async get(key: string): Promise<Result<KeyValue | undefined, EtcdFailure>> {
    const page = await this.#ask('/v3/kv/range', rangeBody(key), readKey);
    return page.ok ? ok(page.value.keyValues[0]) : page;
  }

  /** Gives all keys of a range to `see`, as they are at one revision, page by page. */
  async list(keys: KeyRange, see: (keyValue: KeyValue) => void): Promise<Result<ListHeader, EtcdFailure>> {
    let first: RangePage | undefined;
    const ask = (from?: string): Promise<Result<RangePage, EtcdFailure>> =>
      this.#ask('/v3/kv/range', rangeBody(keys, { limit: PAGE, from, revision: first?.revision }), (json) =>
        readRange(json),
      );
    let asked: ReturnType<typeof ask> | undefined = ask();
    while (asked !== undefined) {
      const page: Result<RangePage, EtcdFailure> = await asked;
      if (!page.ok) return page;
      first ??= page.value;
      const { next, keyValues }: RangePage = page.value;
      // etcd reads the next page while this one is worked on.
      asked = next === undefined ? undefined : ask(next);
      for (const keyValue of keyValues) see(keyValue);
    }
    return first === undefined ? fail(NO_PAGE) : ok(first);
  }

  /** Makes one change under one condition; gives back its revision, or `undefined` if the condition was not met. */
  commit(compare: Compare, change: Change): Promise<Result<number | undefined, EtcdFailure>> {
    return this.#ask('/v3/kv/txn', txnBody(compare, change), readTxn);
  }

  /** Makes a lease of etcd. */
  grant(ttlSeconds: number): Promise<Result<EtcdLease, EtcdFailure>> {
    return this.#ask('/v3/lease/grant', JSON.stringify({ TTL: String(ttlSeconds) }), readLease);
  }

  /** Gives a lease its whole time again. */
  keepAlive(id: string): Promise<Result<EtcdLease, EtcdFailure>> {
    return this.#ask('/v3/lease/keepalive', JSON.stringify({ ID: id }), (json) =>
      readLease(memberOf(json, 'result')),
    );
  }

  /** Ends a lease, and the keys that go with it. */
  async revoke(id: string): Promise<void> {
    await this.gateway.ask({ path: '/v3/lease/revoke', body: JSON.stringify({ ID: id }) });
  }

  async #ask<T>(
    path: string,
    body: string,
    read: (json: unknown) => Result<T, string>,
  ): Promise<Result<T, EtcdFailure>> {
    const answer = await this.gateway.ask({ path, body });
    if (!answer.ok) return answer;
    const value = read(answer.value);
    return value.ok
      ? value
      : fail({ kind: 'malformed', message: `etcd's answer to ${path} is not understood: ${value.error}` });
  }
}
