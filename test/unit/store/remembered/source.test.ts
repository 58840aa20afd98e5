/** The peers' leases out of memory, and what is remembered of what the store says. @module */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { settled } from '../../../sim/fake-clock.ts';
import { ip, request } from '../samples.ts';
import { AWAY, lease, Remembering, SAVED_MS } from './remembering.ts';

let rig: Remembering;
beforeEach(() => {
  rig = new Remembering();
});
afterEach(() => rig.remove());

const STALE = 'Leases restored, stale since 2025-12-31T00:00:00Z';

describe("the peers' leases out of memory", () => {
  test('are told at once, and nothing may be removed for them', async () => {
    rig.remember(lease(1), lease(2), lease(3));
    const { inner, told, watch } = rig.open();
    inner.problem = AWAY;
    watch();
    await settled();
    expect(told).toEqual([
      'addresses 203.0.113.1 undefined',
      `status ${STALE}: The store is away`,
      'leases node-2 node-3, stale, all',
    ]);
  });

  test('are replaced by the first list of the store, of which everything is new', async () => {
    rig.remember(lease(1), lease(2), lease(3));
    const { inner, source, told, watch } = rig.open();
    watch();
    await settled();
    told.length = 0;
    inner.list(true, lease(3), lease(4));
    inner.list(true, lease(3), lease(5));
    expect(told).toEqual([
      'status ok',
      'leases node-3 node-4, synced, all',
      'leases node-3 node-5, synced, node-3 node-5',
    ]);
    expect(source.status().problem).toBeUndefined();
  });

  test('what is not sane, or claims what is ours, is not told', async () => {
    const own = lease(1);
    rig.remember(own, lease(2, { ipv4: own.ipv4, ipv6: undefined }), lease(3));
    const { told, watch } = rig.open();
    watch();
    await settled();
    expect(told.at(-1)).toBe('leases node-3, stale, all');
  });

  test('nothing is told where nothing is remembered', async () => {
    const { inner, source, told, watch } = rig.open();
    watch();
    await settled();
    expect(told).toEqual([]);
    inner.list(true, lease(2));
    expect(told).toEqual(['leases node-2, synced, node-2']);
    expect(source.status()).toEqual({ name: 'inner', problem: undefined, heardAtMs: undefined });
  });

  test('a damaged file is a line in the log', () => {
    writeFileSync(rig.path, 'x');
    expect(rig.open().log).toEqual([`${rig.path} is damaged; it was set aside as ${rig.path}.corrupt`]);
  });
});

describe('what is written down, and when', () => {
  test('what comes together is written together, two seconds later', async () => {
    const { inner, source, watch } = rig.open();
    watch();
    inner.list(true, lease(2));
    void source.acquire(request('node-1', 1));
    await inner.answer(lease(1));
    await rig.clock.advance(1_000);
    inner.list(true, lease(2), lease(3));
    await rig.clock.advance(999);
    expect([rig.saves, existsSync(rig.path)]).toEqual([0, false]);
    await rig.clock.advance(1);
    expect(rig.saves).toBe(1);
    expect(rig.saved()).toEqual({
      own: lease(1),
      peers: ['node-2', 'node-3'],
      savedAtMs: rig.clock.nowMs(),
    });
  });

  test('where leases change all the time, only once a minute', async () => {
    const { inner, watch } = rig.open();
    watch();
    for (let second = 0; second < 300; second++) {
      inner.list(true, lease(2 + (second % 200)));
      await rig.clock.advance(1_000);
    }
    expect(rig.saves).toBe(5);
    await rig.clock.advance(60_000);
    expect(rig.saves).toBe(6);
    await rig.clock.advance(3_600_000);
    expect([rig.saves, rig.clock.pendingCount]).toEqual([6, 0]);
  });

  test('a list that is not complete is not written over one that is', async () => {
    rig.remember(lease(1), lease(2));
    const { inner, source, watch } = rig.open();
    watch();
    inner.list(false, lease(3));
    await rig.clock.advance(600_000);
    source.close();
    expect(rig.saved()).toEqual({ own: lease(1), peers: ['node-2'], savedAtMs: SAVED_MS });
    expect(rig.saves).toBe(0);
  });

  test('the own lease stays in memory for as long as the store neither confirms nor denies it', async () => {
    rig.remember(lease(1), lease(2));
    const { inner, source, watch } = rig.open();
    watch();
    await source.acquire(request('node-1', 1));
    inner.list(true, lease(3));
    await rig.clock.advance(10_000);
    expect(rig.saved()).toMatchObject({ own: lease(1), peers: ['node-3'] });
    source.close();
    expect(rig.saved()).toMatchObject({ own: lease(1), peers: ['node-3'] });
  });

  test('public addresses that the store no longer has are forgotten, and what it repeats is not told', async () => {
    rig.remember(lease(1), lease(2));
    const { inner, told, watch } = rig.open();
    watch();
    await settled();
    const tellsOf = () => told.filter((each) => each.startsWith('addresses'));
    inner.listener?.onPublicAddresses?.({ ipv4: ip('203.0.113.1'), ipv6: undefined });
    expect(tellsOf()).toEqual(['addresses 203.0.113.1 undefined']);
    inner.listener?.onPublicAddresses?.({ ipv4: undefined, ipv6: undefined });
    expect(tellsOf().slice(1)).toEqual(['addresses undefined undefined']);
  });

  test('public addresses are remembered as well', async () => {
    const { inner, watch } = rig.open();
    watch();
    inner.list(true, lease(2));
    inner.listener?.onPublicAddresses?.({ ipv4: ip('203.0.113.9'), ipv6: undefined });
    await rig.clock.advance(2_000);
    const next = rig.open();
    next.watch();
    await settled();
    expect(next.told[0]).toBe('addresses 203.0.113.9 undefined');
  });

  test('a directory that cannot be written is told until it can be', async () => {
    const { inner, source, told, watch } = rig.open();
    watch();
    mkdirSync(rig.path);
    inner.list(true, lease(2));
    await rig.clock.advance(2_000);
    expect(source.status().problem).toMatchObject({ code: 'state-unwritable' });
    expect(told.at(-1)).toStartWith(`status Cannot save ${rig.path}: `);
    // The problem of the store itself is the worse one.
    inner.problem = AWAY;
    expect(source.status().problem).toEqual(AWAY);
    inner.problem = undefined;
    // Tried again once a minute, with nothing new to tell.
    const before = told.length;
    await rig.clock.advance(300_000);
    expect([rig.saves, told.length]).toEqual([6, before]);
    rmSync(rig.path, { recursive: true });
    await rig.clock.advance(60_000);
    expect(told.at(-1)).toBe('status ok');
    expect(rig.saved().peers).toEqual(['node-2']);
    expect(rig.clock.pendingCount).toBe(0);
  });

  test('the end saves until when the store could be believed', async () => {
    const { inner, source, watch } = rig.open();
    watch();
    inner.list(true, lease(2));
    await rig.clock.advance(2_000);
    const heardAtMs = rig.clock.nowMs() + 30_000;
    inner.heardAtMs = heardAtMs;
    await rig.clock.advance(90_000);
    expect(rig.saved().savedAtMs).toBe(heardAtMs - 30_000);
    source.close();
    expect(rig.saved()).toMatchObject({ peers: ['node-2'], savedAtMs: heardAtMs });
    expect([rig.saves, rig.clock.pendingCount]).toEqual([2, 0]);
  });

  test('a store that is not heard of all the time was heard of at the end', async () => {
    const { inner, source, watch } = rig.open();
    watch();
    inner.list(true, lease(2));
    await rig.clock.advance(1_000);
    source.close();
    expect(rig.saved().savedAtMs).toBe(rig.clock.nowMs());
  });

  test('all else is the store', () => {
    const { inner, source } = rig.open();
    source.refresh();
    source.networkUp();
    expect(source.ownExpiryMs()).toBe(77);
    expect(inner.calls).toEqual(['refresh', 'networkUp']);
  });
});
