import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sameLease } from '../../src/model/lease.ts';
import { FakeClock } from '../sim/fake-clock.ts';
import { ip, network, prefix, range, request, sure, vtep } from '../unit/store/samples.ts';
import { acquired, granted, Laboratory, refusal, until } from './sources.ts';

const HOUR_MS = 3_600_000;
const GRACE_MS = 120_000;

let lab: Laboratory;
beforeEach(() => {
  lab = new Laboratory();
});
afterEach(() => lab.close());

const revision = () => lab.inspect((database) => database.state().revision);

describe('acquire()', () => {
  test('takes a subnet of each family, and keeps it', async () => {
    const source = lab.open('a');
    const { lease, expiresAtMs } = await acquired(source, 'a', 1);
    expect(lease).toMatchObject({
      node: 'a',
      backendType: 'vxlan',
      ipv4: { publicIp: ip('192.168.0.1'), vtep: vtep(1) },
      ipv6: { publicIp: ip('2001:db8::1'), vtep: vtep(0x8001) },
    });
    expect(lease.ipv4?.subnet).toMatch(/^10\.3\.\d+\.0\/24$/);
    expect(lease.ipv6?.subnet).toMatch(/^fc00:0:0:[0-9a-f]+::\/64$/);
    expect(expiresAtMs).toBeWithin(Date.now() + 23 * HOUR_MS, Date.now() + 24 * HOUR_MS + 1);
    source.close();

    const again = lab.open('a');
    expect(sameLease(sure(granted(await again.own('a')), 'own'), lease)).toBe(true);
    expect((await acquired(again, 'a', 1)).lease).toEqual(lease);
  });

  test('writes nothing at a restart if nothing has changed', async () => {
    await acquired(lab.open('a'), 'a', 1);
    const other = lab.open('b');
    const ear = lab.listen(other);
    await until('the first list', () => ear.changes.length === 1);
    const before = { revision: revision(), times: statSync(`${lab.path}-changed`).mtimeMs };
    const restarted = lab.open('a');
    await acquired(restarted, 'a', 1);
    await acquired(restarted, 'a', 1);
    expect({ revision: revision(), times: statSync(`${lab.path}-changed`).mtimeMs }).toEqual(before);
  });

  test('renews at a restart when less than half of the lifetime is left', async () => {
    const clock = new FakeClock();
    const first = await acquired(lab.open('a', { clock }), 'a', 1);
    clock.spend(11 * HOUR_MS);
    expect(await acquired(lab.open('a', { clock }), 'a', 1)).toEqual(first);
    clock.spend(2 * HOUR_MS);
    const second = await acquired(lab.open('a', { clock }), 'a', 1);
    expect(second).toEqual({ lease: first.lease, expiresAtMs: clock.nowMs() + 24 * HOUR_MS });
  });

  test('keeps the subnets and tells the others when an address or a MAC changes', async () => {
    const source = lab.open('a');
    const ear = lab.listen(lab.open('b'));
    const { lease } = await acquired(source, 'a', 1);
    await until('the peer', () => ear.names.length === 1);
    const moved = await acquired(source, 'a', 2);
    expect(moved.lease.ipv4).toMatchObject({
      subnet: lease.ipv4?.subnet,
      publicIp: ip('192.168.0.2'),
      vtep: vtep(2),
    });
    await until('the change', () => ear.changes.length === 3);
    expect(ear.changes[2]?.changed).toEqual(new Set(['a']));
    expect(ear.peers).toEqual({ a: moved.lease });
  });

  test('takes the previous subnets if they are free', async () => {
    const previous = { ipv4: prefix('10.3.77.0/24'), ipv6: prefix('fc00:0:0:77::/64') };
    const wanted = (node: string, n: number) => {
      const { ipv4, ipv6 } = request(node, n);
      return request(node, n, {
        ipv4: { ...sure(ipv4, 'ipv4'), previous: previous.ipv4 },
        ipv6: { ...sure(ipv6, 'ipv6'), previous: previous.ipv6 },
      });
    };
    const first = granted(await lab.open('a').acquire(wanted('a', 1))).lease;
    expect([first.ipv4?.subnet, first.ipv6?.subnet]).toEqual([previous.ipv4, previous.ipv6]);
    const second = granted(await lab.open('b').acquire(wanted('b', 2))).lease;
    expect([second.ipv4?.subnet, second.ipv6?.subnet]).not.toContain(previous.ipv4);
  });

  test('leases anew what no longer fits, and keeps the family that does', async () => {
    const { lease } = await acquired(lab.open('a'), 'a', 1);
    const narrow = network({ ipv4: range('10.3.0.0/16', 25, ['10.3.0.128', '10.3.255.128']) });
    const changed = granted(await lab.open('a', { network: narrow }).acquire(request('a', 1))).lease;
    expect(changed.ipv4?.subnet).toEndWith('/25');
    expect(changed.ipv6).toEqual(lease.ipv6);
  });

  test('gives back the subnet of a family that is switched off, and takes one when it is on again', async () => {
    await acquired(lab.open('a'), 'a', 1);
    const single = granted(
      await lab.open('a', { network: network({ ipv6: undefined }) }).acquire(request('a', 1)),
    );
    expect(single.lease.ipv6).toBeUndefined();
    expect(lab.inspect((database) => database.row('a'))).toMatchObject({
      subnetV6: undefined,
      attributes:
        '{"PublicIP":"192.168.0.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0a:58:00:00:00:01"}}',
    });
    expect((await acquired(lab.open('a'), 'a', 1)).lease.ipv6?.subnet).toBeDefined();
  });

  test('says which range is exhausted, and takes nothing of the other', async () => {
    const tight = network({ ipv6: range('fc00::/48', 64, ['fc00:0:0:1::', 'fc00:0:0:2::']) });
    for (const [i, node] of ['a', 'b'].entries())
      await lab.open(node, { network: tight }).acquire(request(node, i));
    const source = lab.open('c', { network: tight });
    expect(refusal(await source.acquire(request('c', 3)))).toMatchObject({
      code: 'no-lease-free',
      message:
        "No IPv6 subnet is free: all 2 from 'fc00:0:0:1::/64' to 'fc00:0:0:2::/64' are held by 2 leases",
    });
    expect(source.status().problem).toBeUndefined();
    expect(lab.inspect((database) => database.row('c'))).toBeUndefined();
  });

  test('takes over the lease that expired first, but not before its grace is over', async () => {
    const clock = new FakeClock();
    const tight = network({ ipv4: range('10.3.0.0/16', 24, ['10.3.1.0', '10.3.2.0']), ipv6: undefined });
    const first = granted(await lab.open('a', { network: tight, clock }).acquire(request('a', 1)));
    clock.spend(HOUR_MS);
    granted(await lab.open('b', { network: tight, clock }).acquire(request('b', 2)));
    // Nobody is called, so nobody renews.
    clock.spend(23 * HOUR_MS + 1);
    const source = lab.open('c', { network: tight, clock });
    expect(refusal(await source.acquire(request('c', 3))).message).toEndWith(
      'are held by 2 leases, 1 of which expired and can be taken over in two minutes',
    );
    clock.spend(GRACE_MS);
    const taken = granted(await source.acquire(request('c', 3)));
    expect(taken.lease.ipv4?.subnet).toBe(sure(first.lease.ipv4, 'ipv4').subnet);
    expect(lab.log).toContain("Took over the expired lease of node 'a'");
  });
});

describe('own()', () => {
  test('makes no database', async () => {
    expect(granted(await lab.open('a').own('a'))).toBeUndefined();
    expect(() => statSync(lab.path)).toThrow('ENOENT');
  });

  test('gives what is stored, whatever the configuration says now', async () => {
    const { lease } = await acquired(lab.open('a'), 'a', 1);
    const other = lab.open('a', { network: network({ ipv6: undefined, backend: { type: 'host-gw' } }) });
    expect(granted(await other.own('a'))).toEqual(lease);
    expect(granted(await other.own('b'))).toBeUndefined();
  });
});

describe('files', () => {
  test('are for the owner only, in a directory for the owner only', async () => {
    const source = lab.open('a', {});
    source.close();
    const nested = new Laboratory();
    const { SqliteLeaseSource } = await import('../../src/store/sqlite/source.ts');
    const path = join(nested.directory, 'deep', 'er', 'leases.db');
    const deep = new SqliteLeaseSource({ path, network: network(), node: 'a', renewMarginMinutes: 60 });
    await acquired(deep, 'a', 1);
    const mode = (name: string) => statSync(name).mode & 0o777;
    expect([path, `${path}-wal`, `${path}-shm`, `${path}-changed`].map(mode)).toEqual([
      0o600, 0o600, 0o600, 0o600,
    ]);
    expect([join(path, '..'), join(path, '../..')].map(mode)).toEqual([0o700, 0o700]);
    deep.close();
    nested.close();
  });

  test('that exist keep their mode', async () => {
    writeFileSync(lab.path, '');
    chmodSync(lab.path, 0o640);
    await acquired(lab.open('a'), 'a', 1);
    expect(statSync(lab.path).mode & 0o777).toBe(0o640);
  });

  test('a lease is on the disk when it is granted', async () => {
    await acquired(lab.open('a'), 'a', 1);
    // What a power loss would leave: the log is synced, so a copy of the files has the lease.
    const wal = readFileSync(`${lab.path}-wal`);
    expect(wal.includes('192.168.0.1')).toBe(true);
  });
});
