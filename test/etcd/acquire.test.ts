/** Leases taken from a real etcd. @module */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { granted, refusal, until } from '../store/sources.ts';
import { ip, network, prefix, range, request, vtep } from '../unit/store/samples.ts';
import { type EtcdServer, startEtcd } from './server.ts';
import { acquired, ask, EtcdLab, IPV4, keyName, PREFIX } from './sources.ts';

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

test("a new lease has flannel's key and value, byte for byte, and a lease of 24 hours", async () => {
  const ipv4 = { publicIp: ip('192.168.0.7'), vtep: vtep(7), previous: prefix('10.3.52.0/24') };
  const own = granted(await lab.open().acquire(ask(7, { ipv4 })));
  expect(own.lease).toEqual({
    node: 'node-7',
    backendType: 'vxlan',
    ipv4: { subnet: prefix('10.3.52.0/24'), publicIp: ipv4.publicIp, vtep: ipv4.vtep },
    ipv6: undefined,
  });
  const [key, ...others] = await etcd.keys('/');
  expect(others).toEqual([]);
  expect(key?.key).toBe('/coreos.com/network/subnets/10.3.52.0-24');
  expect(key?.value).toBe(
    '{"PublicIP":"192.168.0.7","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0a:58:00:00:00:07"}}',
  );
  expect((await etcd.timeToLive(key?.lease ?? '')).granted).toBe(86_400);
  expect(Math.abs((own.expiresAtMs ?? 0) - Date.now() - 86_400_000)).toBeLessThan(60_000);
  expect(lab.uses).toContainEqual(['acquire', true]);
});

test('in dual stack one key names both subnets', async () => {
  const source = lab.open({ network: network() });
  const own = granted(await source.acquire(request('a', 1)));
  const [key] = await etcd.keys('/');
  expect(key?.key).toBe(`${SUBNETS}${keyName(own)}`);
  expect(key?.key).toMatch(/subnets\/10\.3\.\d+\.0-24&fc00:0:0:[\da-f]+::-64$/);
  expect(key?.value).toBe(
    '{"PublicIP":"192.168.0.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0a:58:00:00:00:01"},"BackendV6Data":{"VNI":1,"VtepMAC":"0a:58:00:00:80:01"}}',
  );
});

test('dual stack waits for both addresses, unless the lease has the missing one', async () => {
  const source = lab.open({ network: network() });
  const late = request('a', 1, { ipv6: undefined });
  const { code, message } = refusal(await source.acquire(late));
  expect([code, message]).toEqual([
    'interface-no-address',
    'No lease without an IPv6 address: one key of etcd names the subnets of both families',
  ]);
  expect(await etcd.keys('/')).toEqual([]);
  const own = granted(await source.acquire(request('a', 1)));
  const [before] = await etcd.keys('/');
  expect(granted(await source.acquire(late)).lease).toEqual(own.lease);
  expect(await etcd.keys('/')).toEqual(before === undefined ? [] : [before]);
});

test('IPv6 alone is kept where no flanneld looks', async () => {
  const only6 = { network: network({ ipv4: undefined }) };
  const [one, two] = [await lab.listening(only6), await lab.listening(only6)];
  const own = granted(await one.source.acquire(request('a', 1, { ipv4: undefined })));
  granted(await two.source.acquire(request('b', 2, { ipv4: undefined })));
  const keys = (await etcd.keys('/')).map(({ key }) => key);
  expect(keys).toContain(`${PREFIX}/ipv6-subnets/${keyName(own)}`);
  expect(keys.filter((key) => !key.startsWith(`${PREFIX}/ipv6-subnets/`))).toEqual([]);
  await until('both know each other', () => one.ear.names.length === 1 && two.ear.names.length === 1);
  expect(two.ear.names).toEqual([keyName(own)]);
});

test('a node that comes again is known by its public address, and takes its values with it', async () => {
  const first = await acquired(lab.open(), 1);
  const again = granted(await lab.open().acquire(ask(1, { ipv4: half(1, 77) })));
  expect(again.lease.ipv4).toEqual({
    subnet: first.lease.ipv4?.subnet ?? prefix('0.0.0.0/0'),
    publicIp: ip('192.168.0.1'),
    vtep: vtep(77),
  });
  const [key, ...others] = await etcd.keys('/');
  expect(others).toEqual([]);
  expect(key?.value).toContain('0a:58:00:00:00:4d');
  expect(key?.lease).not.toBe('0');
});

test('a node whose address has changed is known by its MAC', async () => {
  const first = await acquired(lab.open(), 1);
  const moved = granted(await lab.open().acquire(ask(1, { ipv4: half(99, 1) })));
  expect(keyName(moved)).toBe(keyName(first));
  expect((await etcd.keys('/')).map(({ value }) => value)).toEqual([expect.stringContaining('192.168.0.99')]);
});

test('a lease that says the same is not written again', async () => {
  const source = lab.open();
  await acquired(source, 1);
  const before = await etcd.revision();
  await acquired(source, 1);
  await acquired(lab.open(), 1);
  expect(await etcd.revision()).toBe(before);
});

test('the subnet of before is taken if nobody else has it', async () => {
  const previous = prefix('10.3.9.0/24');
  const asked = (n: number) => ask(n, { ipv4: { ...half(n, n), previous } });
  expect(granted(await lab.open().acquire(asked(1))).lease.ipv4?.subnet).toBe(previous);
  expect(granted(await lab.open().acquire(asked(2))).lease.ipv4?.subnet).not.toBe(previous);
});

test('what was leased for another network is given back', async () => {
  const wide = { ipv6: undefined, ipv4: range('10.9.0.0/16', 24, ['10.9.0.0', '10.9.255.0']) };
  const source = lab.open({ network: network(wide) });
  const first = await acquired(source, 1);
  const second = await acquired(lab.open(), 1);
  expect((await etcd.keys('/')).map(({ key }) => key)).toEqual([`${SUBNETS}${keyName(second)}`]);
  expect(lab.log).toEqual([
    `Gave back the lease '${keyName(first)}', which does not fit the network's configuration`,
  ]);
});

test('a node that turns to dual stack keeps its IPv4 subnet', async () => {
  const first = await acquired(lab.open(), 1);
  const second = granted(await lab.open({ network: network() }).acquire(request('a', 1)));
  expect(second.lease.ipv4?.subnet).toBe(first.lease.ipv4?.subnet ?? prefix('0.0.0.0/0'));
  expect((await etcd.keys('/')).map(({ key }) => key)).toEqual([`${SUBNETS}${keyName(second)}`]);
});

test('a reservation is taken by the node that it names, and stays one', async () => {
  await etcd.put(`${SUBNETS}10.3.17.0-24`, '{"PublicIP":"192.168.0.5"}');
  const source = lab.open();
  const own = await acquired(source, 5);
  expect([own.lease.ipv4?.subnet, own.expiresAtMs, source.ownExpiryMs()]).toEqual([
    prefix('10.3.17.0/24'),
    undefined,
    undefined,
  ]);
  const [key] = await etcd.keys('/');
  expect([key?.lease, key?.value]).toEqual(['0', expect.stringContaining('"BackendType":"vxlan"')]);
});

test("a reservation's subnet is not given to another", async () => {
  const tiny = { ipv4: range('10.3.0.0/16', 24, ['10.3.1.0', '10.3.2.0']), ipv6: undefined };
  await etcd.put(`${SUBNETS}10.3.1.0-24`, '{"PublicIP":"192.168.0.5"}');
  const only = { network: network(tiny) };
  expect((await acquired(lab.open(only), 1)).lease.ipv4?.subnet).toBe(prefix('10.3.2.0/24'));
  const { code, message } = refusal(await lab.open(only).acquire(ask(2)));
  expect([code, message]).toEqual([
    'no-lease-free',
    "No IPv4 subnet is free: all 2 from '10.3.1.0/24' to '10.3.2.0/24' are held in etcd",
  ]);
});

test('a lease that is too short is replaced by one of 24 hours', async () => {
  await etcd.ask('/v3/lease/grant', { TTL: '600', ID: '4711' });
  await etcd.put(`${SUBNETS}10.3.17.0-24`, '{"PublicIP":"192.168.0.5"}', { lease: '4711' });
  await acquired(lab.open(), 5);
  const [key] = await etcd.keys('/');
  expect(key?.lease).not.toBe('4711');
  expect((await etcd.timeToLive(key?.lease ?? '')).granted).toBe(86_400);
});

test.each([
  ['IPv4', IPV4],
  ['dual stack', network()],
  ['as many subnets as nodes', network({ ipv4: range('10.3.0.0/16', 24, ['10.3.1.0', '10.3.20.0']) })],
])('twenty nodes at once have twenty subnets: %s', async (_, config) => {
  const nodes = Array.from({ length: 20 }, (_each, i) => i + 1);
  const sources = nodes.map(() => lab.open({ network: config }));
  const all = await Promise.all(
    sources.map(async (source, i) => granted(await source.acquire(request(`n${i}`, i + 1)))),
  );
  expect(new Set(all.map(({ lease }) => lease.ipv4?.subnet)).size).toBe(20);
  if (config.ipv6 !== undefined) expect(new Set(all.map(({ lease }) => lease.ipv6?.subnet)).size).toBe(20);
  const keys = (await etcd.keys('/')).map(({ key }) => key);
  expect(keys.sort()).toEqual(all.map((own) => `${SUBNETS}${keyName(own)}`).sort());
});

test('the configuration is read from its key', async () => {
  const { readNetwork, name } = lab.store();
  expect(name).toBe(`etcd ${etcd.endpoint}`);
  const missing = await readNetwork?.();
  expect(missing?.ok === false && missing.error).toMatchObject({
    code: 'network-missing',
    message: "etcd has no key '/coreos.com/network/config', which holds the network's configuration",
  });
  const text = JSON.stringify({ Network: '10.3.0.0/16', Note: 'x'.repeat(20_000) });
  await etcd.put(`${PREFIX}/config`, text);
  expect(await readNetwork?.()).toEqual({ ok: true, value: text });
});

test('nobody is known by name before an address is', async () => {
  await acquired(lab.open(), 1);
  expect(await lab.open().own('node-1')).toEqual({ ok: true, value: undefined });
});

function half(address: number, mac: number) {
  return { publicIp: ip(`192.168.0.${address}`), vtep: vtep(mac), previous: undefined };
}
