/** Giving a lease back, and looking at leases without touching them. @module */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { systemClock } from '../../src/clock.ts';
import { mayHaveLeases, releaseLease, surveyLeases } from '../../src/store/sqlite/release.ts';
import { acquired, granted, Laboratory, refusal, until } from './sources.ts';

const WAITING = { clock: systemClock, random: Math.random };

let store: Laboratory;
beforeEach(() => {
  store = new Laboratory();
});
afterEach(() => store.close());

test('surveyLeases() shows the own lease and the others, and leaves the file as it is', async () => {
  const { leases } = await store.twoAgents();
  const before = readFileSync(store.path, 'hex');
  const survey = granted(await surveyLeases(store.path, 'a', WAITING));
  expect(survey.own?.pid).toBe(process.pid);
  expect(survey.own?.subnets).toEqual(
    [leases[0].lease.ipv4?.subnet, leases[0].lease.ipv6?.subnet].filter((subnet) => subnet !== undefined),
  );
  expect(survey.peers).toEqual([leases[1].lease]);
  expect(survey.others).toBe(1);
  expect(readFileSync(store.path, 'hex')).toBe(before);
});

test('releaseLease() frees the subnets of one node, and the others hear of it', async () => {
  const { sources, ears } = await store.twoAgents();
  sources[0].close();
  expect(granted(await releaseLease(store.path, 'a', WAITING))).toBe(1);
  await until('departure', () => ears[1].names.length === 0);
  const survey = granted(await surveyLeases(store.path, 'a', WAITING));
  expect({ own: survey.own, others: survey.others }).toEqual({ own: undefined, others: 1 });
  expect(granted(await releaseLease(store.path, 'b', WAITING))).toBe(0);
});

test('releaseLease() of a node without a lease changes nothing', async () => {
  await acquired(store.open('a'), 'a', 1);
  expect(granted(await releaseLease(store.path, 'nobody', WAITING))).toBe(1);
  expect(granted(await surveyLeases(store.path, 'a', WAITING)).own).toBeDefined();
});

test('mayHaveLeases() is about a file with something in it', async () => {
  expect(mayHaveLeases(store.path)).toBe(false);
  await Bun.write(store.path, '');
  expect(mayHaveLeases(store.path)).toBe(false);
  await Bun.write(store.path, 'anything');
  expect(mayHaveLeases(store.path)).toBe(true);
});

test('surveyLeases() refuses what is no lease database', async () => {
  await Bun.write(store.path, 'no database of any sort, and long enough to be looked at'.repeat(100));
  chmodSync(store.path, 0o600);
  expect(refusal(await surveyLeases(store.path, 'a', WAITING)).code).toBe('store-corrupt');
  expect(statSync(store.path).size).toBe(5600);
});
