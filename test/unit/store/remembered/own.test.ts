/** The own lease out of memory, over a store that answers as the test tells it to. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import type { Lease } from '../../../../src/model/lease.ts';
import type { LeaseRequest, OwnLease } from '../../../../src/model/lease-source.ts';
import type { Problem } from '../../../../src/model/problem.ts';
import { fail, ok, type Result } from '../../../../src/model/result.ts';
import { settled } from '../../../sim/fake-clock.ts';
import { request } from '../samples.ts';
import { AWAY, lease, Remembering } from './remembering.ts';

let rig: Remembering;
beforeEach(() => {
  rig = new Remembering();
});
afterEach(() => rig.remove());

test('is given at once, while the store is asked for the same', async () => {
  rig.remember(lease(1));
  const { inner, source } = rig.open();
  const asked = request('node-1', 1);
  expect(await source.own('node-1')).toEqual(ok(lease(1)));
  expect(await source.acquire(asked)).toEqual(ok({ lease: lease(1), expiresAtMs: undefined }));
  expect(inner.asked).toEqual([asked]);
  expect(inner.calls).toEqual([]);
});

test('has the old subnets and what the node says of itself today', async () => {
  rig.remember(lease(1));
  const { source } = rig.open();
  const own = await source.acquire(request('node-1', 99));
  const [now, before] = [lease(99), lease(1)];
  expect(own).toMatchObject({
    value: {
      lease: {
        ipv4: { ...now.ipv4, subnet: before.ipv4?.subnet },
        ipv6: { ...now.ipv6, subnet: before.ipv6?.subnet },
      },
    },
  });
});

test('a request for one family of two is served', async () => {
  rig.remember(lease(1));
  const { source } = rig.open();
  expect(await source.acquire(request('node-1', 1, { ipv6: undefined }))).toEqual(
    ok({ lease: lease(1, { ipv6: undefined }), expiresAtMs: undefined }),
  );
});

test.each<[string, Lease | undefined, Partial<LeaseRequest>]>([
  ['another backend', lease(1), { backendType: 'host-gw' }],
  ['a family more', lease(1, { ipv6: undefined }), {}],
  ['nothing remembered', undefined, {}],
  ["another node's", lease(2), {}],
])('%s does not fit: the store has to say it', async (_, own, different) => {
  rig.remember(own);
  const { inner, source, told, watch } = rig.open();
  watch();
  let got: Result<OwnLease, Problem> | undefined;
  void source.acquire(request('node-1', 1, different)).then((given) => {
    got = given;
  });
  await settled();
  expect(got).toBeUndefined();
  await inner.answer(lease(7));
  expect(got).toEqual(ok({ lease: lease(7), expiresAtMs: undefined }));
  expect(told.filter((each) => each.startsWith('lost'))).toEqual([]);
});

test('what the store has given is not replaced by what was remembered before', async () => {
  rig.remember(lease(1, { ipv6: undefined }));
  const { inner, source } = rig.open();
  // Of both families nothing was remembered.
  void source.acquire(request('node-1', 1));
  await inner.answer(lease(7));
  let got: Result<OwnLease, Problem> | undefined;
  void source.acquire(request('node-1', 1, { ipv6: undefined })).then((given) => {
    got = given;
  });
  await settled();
  expect(got).toBeUndefined();
  expect(inner.asked.length).toBe(2);
});

test('a store that says the same is not worth a word', async () => {
  rig.remember(lease(1));
  const { inner, source, told, watch } = rig.open();
  watch();
  await source.acquire(request('node-1', 1));
  await inner.answer(lease(1));
  expect(told.filter((each) => each.startsWith('lost'))).toEqual([]);
  // From now on the store is asked itself.
  expect(await source.own('node-1')).toEqual(fail(AWAY));
  await rig.clock.advance(600_000);
  expect(inner.asked.length).toBe(1);
});

test('a store that says another one takes it away', async () => {
  rig.remember(lease(1));
  const { inner, source, told, watch } = rig.open();
  watch();
  await source.acquire(request('node-1', 1));
  await inner.answer(lease(7));
  expect(told.at(-1)).toBe(
    'lost: the store says 10.3.7.0/24 and fc00:0:0:7::/64, restored was 10.3.1.0/24 and fc00:0:0:1::/64',
  );
  void source.acquire(request('node-1', 1));
  expect(inner.asked.length).toBe(2);
});

test('a store that fails is asked again, less and less often, and by nobody else', async () => {
  rig.remember(lease(1));
  const { inner, source, told, watch } = rig.open();
  watch();
  await source.acquire(request('node-1', 1));
  const pauses: (number | undefined)[] = [];
  for (let n = 0; n < 14; n++) {
    await inner.answer(AWAY);
    pauses.push(rig.clock.nextInMs);
    expect(inner.answers).toEqual([]);
    await rig.clock.advance(rig.clock.nextInMs ?? 0);
  }
  expect(pauses.slice(0, 5)).toEqual([75, 150, 300, 600, 1_200]);
  expect(Math.max(...pauses.map(Number))).toBe(45_000);
  expect(inner.asked.length).toBe(15);
  await inner.answer(lease(1));
  expect([inner.asked.length, rig.clock.pendingCount]).toEqual([15, 0]);
  expect(told.filter((each) => each.startsWith('lost'))).toEqual([]);
});

test('a request that changes meanwhile is asked instead', async () => {
  rig.remember(lease(1));
  const { inner, source, told, watch } = rig.open();
  watch();
  await source.acquire(request('node-1', 1));
  const later = request('node-1', 5);
  await source.acquire(later);
  expect(inner.asked.length).toBe(1);
  await inner.answer(lease(1));
  expect(inner.asked.length).toBe(2);
  expect(inner.asked[1]).toBe(later);
  await inner.answer(lease(1));
  expect(told.filter((each) => each.startsWith('lost'))).toEqual([]);
});

test('a lease that the store takes away while it is asked is taken away once', async () => {
  rig.remember(lease(1));
  const { inner, source, told, watch } = rig.open();
  watch();
  await source.acquire(request('node-1', 1));
  inner.listener?.onOwnLeaseLost('another has it');
  void source.acquire(request('node-1', 1));
  await inner.answer(lease(7));
  await inner.answer(lease(7));
  await rig.clock.advance(600_000);
  expect(told.filter((each) => each.startsWith('lost'))).toEqual(['lost: another has it']);
  expect(inner.asked.length).toBe(2);
});

test('nothing is asked any more once it is closed', async () => {
  rig.remember(lease(1));
  const { inner, source } = rig.open();
  await source.acquire(request('node-1', 1));
  await inner.answer(AWAY);
  source.close();
  await rig.clock.advance(600_000);
  expect([inner.asked.length, inner.calls]).toEqual([1, ['close']]);
});
