import { describe, expect, test } from 'bun:test';
import { problem } from '../../../src/model/problem.ts';
import { fail, ok } from '../../../src/model/result.ts';
import { Alarm } from '../../../src/store/alarm.ts';
import { ExpiryJudge, GRACE_MS, LIFETIME_MS } from '../../../src/store/sqlite/expiry.ts';
import type { StoreFailure } from '../../../src/store/sqlite/failure.ts';
import { Patience } from '../../../src/store/sqlite/patience.ts';
import { Renewal } from '../../../src/store/sqlite/renewal.ts';
import { FakeClock } from '../../sim/fake-clock.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('Alarm', () => {
  test('rings once, at the time set last, or within an hour', async () => {
    const clock = new FakeClock();
    let rings = 0;
    const alarm = new Alarm(clock, () => rings++);
    alarm.set(1_000);
    alarm.set(2_000);
    await clock.advance(1_999);
    expect(rings).toBe(0);
    await clock.advance(1);
    expect(rings).toBe(1);
    alarm.set(5 * HOUR_MS);
    await clock.advance(HOUR_MS);
    expect(rings).toBe(2);
    expect(clock.pendingCount).toBe(0);
  });

  test('setWithin() only brings forward', async () => {
    const clock = new FakeClock();
    let rings = 0;
    const alarm = new Alarm(clock, () => rings++);
    alarm.setWithin(1_000);
    alarm.setWithin(2_000);
    expect(clock.nextInMs).toBe(1_000);
    alarm.setWithin(500);
    await clock.advance(500);
    expect(rings).toBe(1);
    alarm.set(100);
    alarm.cancel();
    await clock.advance(HOUR_MS);
    expect(rings).toBe(1);
  });
});

describe('ExpiryJudge', () => {
  test('gives a lease up only after its grace', async () => {
    const clock = new FakeClock();
    const judge = new ExpiryJudge(clock);
    const expiresMs = clock.nowMs() + HOUR_MS;
    expect(judge.isGone('a', expiresMs)).toBe(false);
    expect(judge.nextMs()).toBeUndefined();
    await clock.advance(5 * HOUR_MS);
    // However long ago it expired, it has not been seen expired before.
    expect(judge.isGone('a', expiresMs)).toBe(false);
    expect(judge.nextMs()).toBe(GRACE_MS);
    await clock.advance(GRACE_MS - 1);
    expect(judge.isGone('a', expiresMs)).toBe(false);
    await clock.advance(1);
    expect(judge.isGone('a', expiresMs)).toBe(true);
    expect(judge.nextMs()).toBeUndefined();
    // It was renewed.
    expect(judge.isGone('a', clock.nowMs() + HOUR_MS)).toBe(false);
  });

  test('begins a new grace after a renewal, and after it was forgotten', async () => {
    const clock = new FakeClock();
    const judge = new ExpiryJudge(clock);
    judge.isGone('a', clock.nowMs() - 2);
    await clock.advance(GRACE_MS);
    expect(judge.isGone('a', clock.nowMs() - 1)).toBe(false);
    judge.isGone('b', 1);
    await clock.advance(GRACE_MS);
    judge.forget('b');
    expect(judge.isGone('b', 1)).toBe(false);
  });

  test('gives nobody up at once when the clock jumps', async () => {
    const clock = new FakeClock();
    const judge = new ExpiryJudge(clock);
    const expiresMs = clock.nowMs() + LIFETIME_MS;
    clock.wallOffsetMs += 400 * LIFETIME_MS;
    expect(judge.isGone('a', expiresMs)).toBe(false);
    // And back again: as if nothing had been.
    clock.wallOffsetMs -= 400 * LIFETIME_MS;
    await clock.advance(GRACE_MS);
    expect(judge.isGone('a', expiresMs)).toBe(false);
    expect(judge.nextMs()).toBeUndefined();
  });

  test('ends a lease from the far future a lifetime after it was first seen', async () => {
    const clock = new FakeClock();
    const judge = new ExpiryJudge(clock);
    const expiresMs = clock.nowMs() + 1_000 * LIFETIME_MS;
    expect(judge.isGone('a', expiresMs)).toBe(false);
    expect(judge.nextMs()).toBe(LIFETIME_MS);
    await clock.advance(LIFETIME_MS - 1);
    expect(judge.isGone('a', expiresMs)).toBe(false);
    await clock.advance(1);
    expect(judge.isGone('a', expiresMs)).toBe(true);
  });

  test('counts the grace from a jump by which the implausible expires', async () => {
    const clock = new FakeClock();
    const judge = new ExpiryJudge(clock);
    const expiresMs = clock.nowMs() + 1_000 * LIFETIME_MS;
    judge.isGone('a', expiresMs);
    clock.wallOffsetMs += 2_000 * LIFETIME_MS;
    expect(judge.isGone('a', expiresMs)).toBe(false);
    expect(judge.nextMs()).toBe(GRACE_MS);
  });
});

/** A renewal that writes into a list, or fails as long as `isBroken`. */
function openRenewal(marginMs: number) {
  const clock = new FakeClock();
  const state = { clock, renewals: [] as { atMs: number; isLate: boolean }[], isBroken: false };
  const renewal = new Renewal({
    clock,
    random: () => 0.5,
    marginMs,
    renew(isLate) {
      state.renewals.push({ atMs: clock.monotonicMs(), isLate });
      return state.isBroken ? undefined : clock.nowMs() + LIFETIME_MS;
    },
  });
  return { ...state, state, renewal };
}

describe('Renewal', () => {
  test('renews the margin before the end, again and again', async () => {
    const { clock, renewal, renewals } = openRenewal(HOUR_MS);
    renewal.hold(clock.nowMs() + LIFETIME_MS);
    await clock.advance(3 * LIFETIME_MS);
    expect(renewals).toEqual([
      { atMs: 23 * HOUR_MS, isLate: false },
      { atMs: 46 * HOUR_MS, isLate: false },
      { atMs: 69 * HOUR_MS, isLate: false },
    ]);
    renewal.stop();
    expect(clock.pendingCount).toBe(0);
  });

  test('tries again about a minute after a failure', async () => {
    const { clock, renewal, renewals, state } = openRenewal(HOUR_MS);
    state.isBroken = true;
    renewal.hold(clock.nowMs() + 2 * HOUR_MS);
    await clock.advance(HOUR_MS + 3 * MINUTE_MS);
    const pauseMs = MINUTE_MS * 1.125;
    expect(renewals.map(({ atMs }) => atMs)).toEqual([HOUR_MS, HOUR_MS + pauseMs, HOUR_MS + 2 * pauseMs]);
    // A look in between does not try earlier.
    renewal.check();
    expect(renewals).toHaveLength(3);
    state.isBroken = false;
    await clock.advance(2 * MINUTE_MS);
    expect(renewals).toHaveLength(4);
    await clock.advance(20 * HOUR_MS);
    expect(renewals).toHaveLength(4);
  });

  test('notices a clock that jumped ahead within an hour, and at any look', async () => {
    const { clock, renewal, renewals } = openRenewal(HOUR_MS);
    renewal.hold(clock.nowMs() + LIFETIME_MS);
    clock.wallOffsetMs += 30 * LIFETIME_MS;
    await clock.advance(HOUR_MS);
    expect(renewals).toEqual([{ atMs: HOUR_MS, isLate: true }]);
    clock.wallOffsetMs += 30 * LIFETIME_MS;
    renewal.check();
    expect(renewals).toHaveLength(2);
  });

  test('writes a sensible expiry after a clock that was ahead is set back', async () => {
    const { clock, renewal, renewals } = openRenewal(HOUR_MS);
    renewal.hold(clock.nowMs() + 30 * LIFETIME_MS);
    renewal.check();
    expect(renewals).toEqual([{ atMs: 0, isLate: false }]);
    await clock.advance(22 * HOUR_MS);
    expect(renewals).toHaveLength(1);
  });
});

const LOCKED: StoreFailure = { busy: true, problem: problem('store-unavailable', 'Locked') };

describe('Patience', () => {
  test('tries until the lock is gone', async () => {
    const clock = new FakeClock();
    let attempts = 0;
    const done = new Patience(clock, () => 0.5).wait(() => (++attempts < 4 ? fail(LOCKED) : ok('done')));
    await clock.advance(1_000);
    expect(await done).toEqual(ok('done'));
    expect(attempts).toBe(4);
  });

  test('gives up after five seconds with the reason', async () => {
    const clock = new FakeClock();
    let attempts = 0;
    const done = new Patience(clock, () => 0.5).wait(() => {
      attempts++;
      return fail(LOCKED);
    });
    await clock.advance(6_000);
    expect(await done).toEqual(fail(LOCKED.problem));
    expect(attempts).toBeWithin(40, 200);
  });

  test('does not wait for anything but a lock', async () => {
    const clock = new FakeClock();
    const done = new Patience(clock, () => 0.5).wait(() => fail({ ...LOCKED, busy: false }));
    expect(await done).toEqual(fail(LOCKED.problem));
    expect(clock.pendingCount).toBe(0);
  });

  test('ends its waits when it is closed', async () => {
    const clock = new FakeClock();
    const patience = new Patience(clock, () => 0.5);
    const waits = [patience.wait(() => fail(LOCKED)), patience.wait(() => fail(LOCKED))];
    patience.close();
    for (const wait of waits)
      expect(await wait).toMatchObject({ error: { message: 'The lease store was closed' } });
    expect(clock.pendingCount).toBe(0);
  });
});
