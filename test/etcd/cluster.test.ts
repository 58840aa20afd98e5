/** A real etcd of several members, some of which do not answer. @module */
import { afterEach, expect, test } from 'bun:test';
import * as v from 'valibot';
import { until } from '../store/sources.ts';
import { EtcdServer } from './server.ts';
import { acquired, EtcdLab, keyName } from './sources.ts';

const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function cluster(): Promise<[readonly EtcdServer[], EtcdLab]> {
  const members = [new EtcdServer(), new EtcdServer(), new EtcdServer()];
  closing.push(...members.map((member) => () => member[Symbol.asyncDispose]()));
  const all = members.map(({ member }) => member).join();
  for (const member of members) member.launch(all);
  await Promise.all(members.map((member) => member.serving()));
  const lab = new EtcdLab(...members.map(({ endpoint }) => endpoint));
  closing.push(() => lab[Symbol.dispose]());
  return [members, lab];
}

const statusSchema = v.object({ leader: v.string(), header: v.object({ member_id: v.string() }) });

async function leaderOf(members: readonly EtcdServer[]): Promise<EtcdServer> {
  for (const member of members) {
    const { leader, header } = v.parse(statusSchema, await member.ask('/v3/maintenance/status', {}));
    if (leader === header.member_id) return member;
  }
  throw new Error('No leader');
}

test('the leader is killed: leases are taken and heard of without it', async () => {
  const [members, lab] = await cluster();
  const leader = await leaderOf(members);
  const [rest] = members.filter((member) => member !== leader);
  // Those who talk to the leader first, and one who does not.
  const leaderFirst = [leader.endpoint, ...lab.endpoints.filter((each) => each !== leader.endpoint)];
  const one = await lab.listening({ settings: { endpoints: leaderFirst } });
  const two = await lab.listening({ settings: { endpoints: [rest?.endpoint ?? '', ...leaderFirst] } });
  const lease = await acquired(one.source, 1);
  await until('acquaintance', () => two.ear.names.length === 1);
  await leader.stop('SIGKILL');
  const second = await acquired(two.source, 2);
  await until('the news at who talked to the leader', () => one.ear.names.length === 1);
  expect([one.ear.names, two.ear.names]).toEqual([[keyName(second)], [keyName(lease)]]);
  await until('no trouble', () => [one, two].every(({ source }) => source.status().problem === undefined));
  expect([one.ear.losses, two.ear.losses]).toEqual([[], []]);
});

test('a member without a leader is passed over', async () => {
  const [members, lab] = await cluster();
  const leader = await leaderOf(members);
  const [lonely, ...others] = members.filter((member) => member !== leader);
  if (lonely === undefined) throw new Error('No follower');
  const { source, ear } = await lab.listening({ settings: { endpoints: [lonely.endpoint] } });
  await acquired(source, 1);
  for (const member of [leader, ...others]) await member.stop('SIGKILL');
  await until('the trouble is told', () => ear.statuses.length > 0, 20_000);
  expect(ear.statuses[0]?.problem?.code).toBe('store-unavailable');
  expect(ear.losses).toEqual([]);
  const all = members.map(({ member }) => member).join();
  for (const member of [leader, ...others]) member.launch(all);
  await until('the trouble is over', () => source.status().problem === undefined, 20_000);
});

test('endpoints at which nobody is are passed over', async () => {
  const [members, lab] = await cluster();
  const [first] = members;
  const endpoints = ['http://127.0.0.1:1', first?.endpoint ?? '', 'http://127.0.0.1:2'];
  const { source, ear } = await lab.listening({ settings: { endpoints } });
  await acquired(source, 1);
  expect(ear.statuses).toEqual([]);
});
