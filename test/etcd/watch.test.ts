/** What peers do in a real etcd, as a source tells it. @module */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { FakeClock } from '../sim/fake-clock.ts';
import { type Ear, until } from '../store/sources.ts';
import { ip, prefix } from '../unit/store/samples.ts';
import { type EtcdServer, startEtcd } from './server.ts';
import { acquired, EtcdLab, keyName, PREFIX } from './sources.ts';

const SUBNETS = `${PREFIX}/subnets/`;
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

/** What a flanneld node `n` writes. */
function flanneld(n: number, mac = n): string {
  const last = mac.toString(16).padStart(2, '0');
  return `{"PublicIP":"192.168.1.${n}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:${last}"}}`;
}

function names(ear: Ear): string[] {
  return ear.names;
}

test("flanneld's leases, as they come, change and go", async () => {
  await etcd.put(`${SUBNETS}10.3.1.0-24`, flanneld(1));
  const { ear } = await lab.listening();
  expect(ear.peers).toMatchObject({
    '10.3.1.0-24': {
      node: '10.3.1.0-24',
      ipv4: { subnet: prefix('10.3.1.0/24'), publicIp: ip('192.168.1.1'), vtep: { vni: 1 } },
    },
  });
  expect(ear.changes[0]?.changed).toBe('all');
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(2));
  await until('the second', () => names(ear).length === 2);
  expect(ear.changes.at(-1)?.changed).toEqual(new Set(['10.3.2.0-24']));
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(3));
  await until('the change', () => ear.peer('10.3.2.0-24')?.ipv4?.publicIp === ip('192.168.1.3'));
  await etcd.delete(`${SUBNETS}10.3.1.0-24`);
  await until('the end', () => names(ear).length === 1);
  expect(names(ear)).toEqual(['10.3.2.0-24']);
  expect(ear.statuses).toEqual([]);
  expect(lab.uses).toContainEqual(['read', true]);
});

test('keys beside the leases are none', async () => {
  await etcd.put(`${PREFIX}/config`, '{}');
  await etcd.put(`${PREFIX}/subnets`, 'x');
  await etcd.put(`${PREFIX}/subnets0`, 'x');
  await etcd.put(SUBNETS, 'x');
  const { ear } = await lab.listening();
  expect(ear.changes[0]?.set).toMatchObject({ refused: [], synced: true });
  expect(names(ear)).toEqual([]);
});

test('the own key is no peer, whoever is first', async () => {
  const first = await lab.listening();
  const own = await acquired(first.source, 1);
  const second = await lab.listening();
  expect(names(second.ear)).toEqual([keyName(own)]);
  await acquired(second.source, 2);
  await until('acquaintance', () => names(first.ear).length === 1);
  expect(names(second.ear)).toEqual([keyName(own)]);
  const again = await lab.listening();
  await acquired(again.source, 1);
  await until('no peer of its own', () => !names(again.ear).includes(keyName(own)));
  expect(first.ear.losses).toEqual([]);
});

test('who listens and asks in one moment reads one list, and never sees itself', async () => {
  const own = await acquired(lab.open(), 1);
  await etcd.put(`${SUBNETS}10.3.250.0-24`, flanneld(2));
  const source = lab.open();
  const ear = lab.listen(source);
  expect(keyName(await acquired(source, 1))).toBe(keyName(own));
  await until('the list', () => ear.changes.length > 0);
  const told = ear.changes.flatMap(({ set, changed }) => [...set.peers.keys(), ...changed]);
  expect(told).not.toContain(keyName(own));
  expect(names(ear)).toEqual(['10.3.250.0-24']);
});

test('one malformed key does no harm, and is shown', async () => {
  await etcd.put(`${SUBNETS}10.3.1.0-24`, flanneld(1));
  await etcd.put(`${SUBNETS}10.3.7-24`, flanneld(7));
  await etcd.put(`${SUBNETS}10.3.8.0-24`, 'no JSON');
  await etcd.put(`${SUBNETS}10.3.9.0-24`, `{"PublicIP":"${'9'.repeat(100_000)}"}`);
  await etcd.put(`${SUBNETS}${'x'.repeat(5_000)}`, flanneld(7));
  await etcd.put(`${SUBNETS}a\u001b[2Jb`, flanneld(7));
  const { ear } = await lab.listening();
  expect(names(ear)).toEqual(['10.3.1.0-24']);
  const refused = () => ear.changes.at(-1)?.set.refused ?? [];
  expect(refused().map(({ node, reason }) => [node.slice(0, 20), reason.slice(0, 60)])).toEqual([
    ['10.3.7-24', 'Its key names no subnet'],
    ['10.3.8.0-24', "Attributes are not JSON: 'no JSON'"],
    ['10.3.9.0-24', 'Attributes are longer than 4096 characters'],
    ['x'.repeat(20), `Node name '${'x'.repeat(49)}`],
    ['a\\u001b[2Jb', "Node name 'a\\u001b[2Jb' is not a name"],
  ]);
  await etcd.put(`${SUBNETS}10.3.6.0-24`, 'no JSON');
  await until('one more', () => refused().length === 6);
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(2));
  await until('those behind it', () => names(ear).length === 2);
  await etcd.delete(`${SUBNETS}10.3.7-24`);
  await until('one less', () => refused().length === 5);
});

test('who came first keeps what two leases claim', async () => {
  const { source, ear } = await lab.listening();
  const own = await acquired(source, 1);
  await etcd.put(`${SUBNETS}10.3.1.0-24`, flanneld(1, 1));
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(2, 1));
  await etcd.put(`${SUBNETS}10.3.3.0-24`, `{"PublicIP":"192.168.0.1"}`);
  await until('three', () => (ear.changes.at(-1)?.set.refused.length ?? 0) === 2);
  expect(names(ear)).toEqual(['10.3.1.0-24']);
  const { publicIp } = own.lease.ipv4 ?? {};
  expect(publicIp).toBe(ip('192.168.0.1'));
});

test('a list of many pages is complete, at one revision', async () => {
  const writes = Array.from({ length: 1_000 }, (_, i) => i);
  for (let at = 0; at < writes.length; at += 100) {
    const some = writes.slice(at, at + 100);
    await etcd.ask('/v3/kv/txn', {
      success: some.map((i) => ({
        request_put: {
          key: btoa(`${SUBNETS}10.3.${i >> 2}.${(i & 3) << 6}-26`),
          value: btoa(flanneld(1).replace('c6:d2:32', `c6:${hex(i >> 8)}:${hex(i & 255)}`)),
        },
      })),
    });
  }
  const { ear } = await lab.listening();
  expect(names(ear).length).toBe(1_000);
});

function hex(n: number): string {
  return n.toString(16).padStart(2, '0');
}

test('a refresh tells everything again', async () => {
  await etcd.put(`${SUBNETS}10.3.1.0-24`, flanneld(1));
  const { source, ear } = await lab.listening();
  const before = ear.changes.length;
  source.refresh();
  await until('the second opinion', () => ear.changes.length > before);
  expect(ear.changes.at(-1)?.changed).toBe('all');
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(2));
  await until('the watch goes on', () => names(ear).length === 2);
});

test('a watch that is silent for a minute is begun anew where it ended', async () => {
  const clock = new FakeClock();
  const { ear } = await lab.listening({ clock });
  await etcd.put(`${SUBNETS}10.3.1.0-24`, flanneld(1));
  await until('the first', () => names(ear).length === 1);
  await clock.advance(61_000);
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(2));
  await until('the second', () => names(ear).length === 2);
  expect([ear.statuses, lab.uses.filter(([use]) => use === 'read').length]).toEqual([[], 1]);
});

test('etcd goes and comes back: nothing changes, and what happened meanwhile is heard', async () => {
  await etcd.put(`${SUBNETS}10.3.1.0-24`, flanneld(1));
  const { source, ear } = await lab.listening();
  await acquired(source, 1);
  const told = ear.changes.length;
  await etcd.stop('SIGKILL');
  await until('the trouble is told', () => ear.statuses.length === 1);
  expect(ear.statuses[0]).toEqual({
    name: `etcd ${etcd.endpoint}`,
    problem: {
      code: 'store-unavailable',
      message: `etcd at ${etcd.endpoint}: the connection was refused (ECONNREFUSED)`,
      remedy: 'Check the lease store; the data plane keeps working meanwhile',
    },
  });
  expect([ear.changes.length, names(ear), ear.losses]).toEqual([told, ['10.3.1.0-24'], []]);
  await etcd.start();
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(2));
  await until('the second', () => names(ear).length === 2);
  await until('the trouble is over', () => source.status().problem === undefined);
  expect(ear.losses).toEqual([]);
});

test('an acquisition waits for etcd', async () => {
  await etcd.stop();
  const { source, ear } = { source: lab.open(), ear: { statuses: 0 } };
  source.watch({ onLeases: () => {}, onOwnLeaseLost: () => {}, onStatus: () => ear.statuses++ });
  const acquiring = acquired(source, 1);
  await until('the trouble is told', () => ear.statuses > 0);
  expect(source.status().problem?.code).toBe('store-unavailable');
  await etcd.start();
  expect((await acquiring).lease.node).toBe('node-1');
  await until('the trouble is over', () => source.status().problem === undefined);
});

test('what was compacted while etcd was away is listed anew', async () => {
  await etcd.put(`${SUBNETS}10.3.1.0-24`, flanneld(1));
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(2));
  const clock = new FakeClock();
  const { ear } = await lab.listening({ clock });
  await etcd.stop();
  await until('the end is seen', () => clock.nextInMs !== undefined && clock.nextInMs < 1_000);
  await etcd.start();
  await etcd.delete(`${SUBNETS}10.3.1.0-24`);
  await etcd.put(`${SUBNETS}10.3.3.0-24`, flanneld(3));
  await etcd.compact();
  const advancing = setInterval(() => void clock.advance(100), 10);
  await until('the new list', () => names(ear).join() === '10.3.2.0-24,10.3.3.0-24');
  clearInterval(advancing);
  expect(ear.changes.at(-1)?.changed).toEqual(new Set(['10.3.1.0-24', '10.3.3.0-24']));
});

test('an etcd that lost everything takes nobody away before two minutes are over', async () => {
  await etcd.put(`${SUBNETS}10.3.1.0-24`, flanneld(1));
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(2));
  const clock = new FakeClock();
  const { source, ear } = await lab.listening({ clock });
  const own = await acquired(source, 1);
  await etcd.stop();
  etcd.wipe();
  await etcd.start();
  await etcd.put(`${SUBNETS}10.3.2.0-24`, flanneld(2));
  const advancing = setInterval(() => void clock.advance(100), 10);
  await until('the own key is missed', () => ear.losses.length === 1);
  clearInterval(advancing);
  expect(ear.losses).toEqual([`etcd was made anew or set back; key '${keyName(own)}' is taken again`]);
  expect(names(ear)).toEqual(['10.3.1.0-24', '10.3.2.0-24']);
  expect(keyName(await acquired(source, 1))).toBe(keyName(own));
  await clock.advance(119_000);
  expect(names(ear)).toEqual(['10.3.1.0-24', '10.3.2.0-24']);
  await clock.advance(2_000);
  await until('the one that did not come back goes', () => names(ear).length === 1);
});
