/** How the own key is kept, and missed when it is gone, in a real etcd. @module */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { FakeClock } from '../sim/fake-clock.ts';
import { until } from '../store/sources.ts';
import { type EtcdServer, type StoredKey, startEtcd } from './server.ts';
import { acquired, EtcdLab, keyName, PREFIX } from './sources.ts';

const SUBNETS = `${PREFIX}/subnets/`;
const HOUR_MS = 3_600_000;
let etcd: EtcdServer;
let lab: EtcdLab;

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd[Symbol.asyncDispose]());
beforeEach(async () => {
  lab?.[Symbol.dispose]();
  for (const { key } of await etcd.keys('/')) await etcd.delete(key);
  lab = new EtcdLab(etcd.endpoint);
});

async function onlyKey(): Promise<StoredKey> {
  const [key, ...others] = await etcd.keys('/');
  if (key === undefined || others.length > 0) throw new Error(`${others.length + 1} keys`);
  return key;
}

function renewals(isOk: boolean): number {
  return lab.uses.filter(([use, isDone]) => use === 'renew' && isDone === isOk).length;
}

test('a lease is renewed an hour before its end, with the same key and lease', async () => {
  const clock = new FakeClock();
  const source = lab.open({ clock });
  await acquired(source, 1);
  const before = await onlyKey();
  const expiresMs = source.ownExpiryMs() ?? 0;
  expect(expiresMs).toBe(clock.nowMs() + 24 * HOUR_MS);
  await clock.advance(23 * HOUR_MS - 1);
  expect(renewals(true)).toBe(0);
  await clock.advance(1);
  await until('the renewal', () => renewals(true) === 1);
  await until('the new expiry', () => (source.ownExpiryMs() ?? 0) > expiresMs);
  expect(await onlyKey()).toEqual(before);
});

test('a clock that jumps makes a renewal due, not a loss', async () => {
  const clock = new FakeClock();
  const { source, ear } = await lab.listening({ clock });
  await acquired(source, 1);
  clock.wallOffsetMs += 365 * 24 * HOUR_MS;
  await clock.advance(HOUR_MS);
  await until('the renewal', () => renewals(true) === 1);
  expect(ear.losses).toEqual([]);
});

test('a renewal that fails is tried again', async () => {
  const clock = new FakeClock();
  const source = lab.open({ clock });
  await acquired(source, 1);
  await etcd.stop();
  await clock.advance(23 * HOUR_MS);
  await until('a failure', () => renewals(false) > 0);
  expect(lab.log[0]).toStartWith(`Cannot renew the lease: etcd at ${etcd.endpoint}: the connection was`);
  await etcd.start();
  const advancing = setInterval(() => void clock.advance(1_000), 10);
  await until('the renewal', () => renewals(true) === 1);
  clearInterval(advancing);
  await until('no problem', () => source.status().problem === undefined);
});

test.each([
  ['deleted', (name: string) => etcd.delete(`${SUBNETS}${name}`)],
  [
    'deleted with its lease',
    async () => void (await etcd.ask('/v3/lease/revoke', { ID: (await onlyKey()).lease })),
  ],
])('a key that is %s is taken again', async (_, destroy) => {
  const { source, ear } = await lab.listening();
  const own = await acquired(source, 1);
  await destroy(keyName(own));
  await until('the loss', () => ear.losses.length === 1);
  expect(ear.losses).toEqual([`Key '${keyName(own)}' was deleted from etcd`]);
  expect(keyName(await acquired(source, 1))).toBe(keyName(own));
  expect((await onlyKey()).key).toBe(`${SUBNETS}${keyName(own)}`);
});

test('a lease that has expired unseen is taken again', async () => {
  const clock = new FakeClock();
  const source = lab.open({ clock });
  const losses: string[] = [];
  const own = await acquired(source, 1);
  await etcd.ask('/v3/lease/revoke', { ID: (await onlyKey()).lease });
  source.watch({ onLeases: () => {}, onStatus: () => {}, onOwnLeaseLost: (reason) => losses.push(reason) });
  const advancing = setInterval(() => void clock.advance(1_000), 10);
  await until('the loss', () => losses.length === 1);
  clearInterval(advancing);
  expect(losses).toEqual([`Key '${keyName(own)}' is gone from etcd`]);
  expect(keyName(await acquired(source, 1))).toBe(keyName(own));
});

test('a key that another has written is given up, and the other is a peer', async () => {
  const { source, ear } = await lab.listening();
  const own = await acquired(source, 1);
  const theirs =
    '{"PublicIP":"192.168.9.9","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:99"}}';
  await etcd.put(`${SUBNETS}${keyName(own)}`, theirs);
  await until('the loss', () => ear.losses.length === 1);
  expect(ear.losses).toEqual([`Key '${keyName(own)}' of etcd was written by another`]);
  const next = await acquired(source, 1);
  expect(keyName(next)).not.toBe(keyName(own));
  await until('the other is a peer', () => ear.names.includes(keyName(own)));
  expect(ear.names).toEqual([keyName(own)]);
});

test('a flanneld that has renewed for us is no other', async () => {
  const { source, ear } = await lab.listening();
  const own = await acquired(source, 1);
  const { value } = await onlyKey();
  await etcd.ask('/v3/lease/grant', { TTL: '86400', ID: '1234' });
  await etcd.put(`${SUBNETS}${keyName(own)}`, value, { lease: '1234' });
  await until('the new lease is kept', () => renewals(true) === 1);
  await etcd.put(`${SUBNETS}${keyName(own)}`, value);
  await until('the end of expiry', () => source.ownExpiryMs() === undefined);
  expect(ear.losses).toEqual([]);
});

test('a source that is closed leaves its key', async () => {
  const { source } = await lab.listening();
  await acquired(source, 1);
  const before = await onlyKey();
  source.close();
  expect(await onlyKey()).toEqual(before);
});
