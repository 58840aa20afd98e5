import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sameLease } from '../../src/model/lease.ts';
import { LeaseDatabase } from '../../src/store/sqlite/lease-database.ts';
import { FakeClock, settled } from '../sim/fake-clock.ts';
import { ip, network, prefix, range, request, sure, vtep } from '../unit/store/samples.ts';
import { acquired, granted, Laboratory, refusal, until } from './sources.ts';

const HOUR_MS = 3_600_000;
const GRACE_MS = 120_000;

let lab: Laboratory;
beforeEach(() => {
  lab = new Laboratory();
});
afterEach(() => lab.close());

/** What a look from outside reads, and the revision. */
function inspect<T>(read: (database: LeaseDatabase) => T): T {
  const database = LeaseDatabase.open(lab.path);
  try {
    return read(database);
  } finally {
    database.close();
  }
}

const revision = () => inspect((database) => database.state().revision);

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
    expect(inspect((database) => database.row('a'))).toMatchObject({
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
    expect(inspect((database) => database.row('c'))).toBeUndefined();
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

describe('watch()', () => {
  test('tells the whole list first, then each change, and never the own node', async () => {
    await acquired(lab.open('a'), 'a', 1);
    const source = lab.open('b');
    await acquired(source, 'b', 2);
    const ear = lab.listen(source);
    expect(ear.changes).toEqual([]);
    await until('the first list', () => ear.changes.length === 1);
    expect(ear.changes[0]).toMatchObject({ changed: 'all', set: { synced: true, refused: [] } });
    expect(ear.names).toEqual(['a']);
    const third = await acquired(lab.open('c'), 'c', 3);
    await until('the newcomer', () => ear.changes.length === 2);
    expect(ear.changes[1]?.changed).toEqual(new Set(['c']));
    expect(ear.peer('c')).toEqual(third.lease);
  });

  test('tells an empty list of a new database, and no trouble that its directory is new too', async () => {
    rmSync(lab.directory, { recursive: true });
    const ear = lab.listen(lab.open('a'));
    await until('the first list', () => ear.changes.length === 1);
    expect(ear.changes[0]).toMatchObject({ changed: 'all', set: { synced: true } });
    expect(ear.names).toEqual([]);
    await acquired(lab.open('b'), 'b', 2);
    await until('the newcomer', () => ear.names.length === 1);
    expect(ear.statuses).toEqual([]);
  });

  test('refuses peers with our MAC once we have it, and takes them back', async () => {
    const source = lab.open('b');
    const ear = lab.listen(source);
    await acquired(lab.open('a'), 'a', 1);
    await until('the peer', () => ear.names.length === 1);
    granted(await source.acquire({ ...request('b', 1), ipv4: sure(request('b', 2).ipv4, 'ipv4') }));
    await until('the refusal', () => ear.changes.at(-1)?.set.refused.length === 1);
    expect(ear.peer('a')?.ipv6).toBeUndefined();
    await acquired(source, 'b', 2);
    await until('the pardon', () => ear.changes.at(-1)?.set.refused.length === 0);
    expect(ear.peer('a')?.ipv6).toBeDefined();
  });

  test('hears of a commit that nobody announced', async () => {
    const ear = lab.listen(lab.open('b'));
    await acquired(lab.open('a'), 'a', 1);
    await until('the peer', () => ear.names.length === 1);
    // As from a process that was killed between its commit and its announcement.
    inspect((database) =>
      database.transact(false, (next) => {
        const row = sure(database.row('a'), 'a');
        database.write({
          ...row,
          node: 'd',
          created: 9,
          subnet: '10.3.0.0/24',
          subnetV6: undefined,
          revision: next,
        });
        database.bury('a', { revision: next, nowMs: Date.now() });
      }),
    );
    await until('the change', () => ear.names[0] === 'd');
  });

  test('reads everything again after removals that it has not seen were thrown away', async () => {
    const ear = lab.listen(lab.open('b'));
    await acquired(lab.open('a'), 'a', 1);
    await until('the peer', () => ear.names.length === 1);
    inspect((database) =>
      database.transact(false, (next) => {
        database.bury('a', { revision: next, nowMs: 1 });
        database.purge(Date.now());
        expect(database.row('a')).toBeUndefined();
      }),
    );
    await until('the departure', () => ear.names.length === 0);
  });

  test('refresh() finds what was changed by hand, and tells everything', async () => {
    const source = lab.open('b');
    const ear = lab.listen(source);
    await acquired(lab.open('a'), 'a', 1);
    await until('the peer', () => ear.names.length === 1);
    const { Database } = await import('bun:sqlite');
    const db = new Database(lab.path);
    db.run("DELETE FROM lease WHERE node = 'a'");
    db.close();
    const count = ear.changes.length;
    source.refresh();
    await settled();
    expect(ear.changes[count]).toMatchObject({ changed: 'all' });
    expect(ear.names).toEqual([]);
  });

  test('shows garbage rows as refused and uses the sound ones', async () => {
    await acquired(lab.open('a'), 'a', 1);
    inspect((database) =>
      database.transact(false, (next) => {
        const row = sure(database.row('a'), 'a');
        const garbage = { ...row, subnet: undefined, subnetV6: undefined, revision: next };
        database.write({ ...garbage, node: 'm', created: 10, subnet: '10.3.9.0/24', attributes: '{{{' });
        database.write({
          ...garbage,
          node: 'n',
          created: 11,
          subnet: 'all of them',
          attributes: row.attributes,
        });
        database.write({
          ...garbage,
          node: 'o',
          created: 12,
          subnet: '10.4.0.0/16',
          attributes: row.attributes,
        });
        database.write({ ...garbage, node: 'p\n\u001b[1m', created: 13, attributes: row.attributes });
        database.write({
          ...garbage,
          node: 'q',
          created: 14,
          subnet: `${'1'.repeat(1e6)}/24`,
          attributes: '""',
        });
      }),
    );
    const source = lab.open('b');
    const ear = lab.listen(source);
    await until('the first list', () => ear.changes.length === 1);
    expect(ear.names).toEqual(['a']);
    expect(ear.changes[0]?.set.refused).toEqual([
      { node: 'm', reason: "Attributes are not JSON: '{{{'" },
      { node: 'n', reason: "IPv4: subnet 'all of them' is not a network" },
      { node: 'o', reason: "IPv4: subnet '10.4.0.0/16' is outside of the network '10.3.0.0/16'" },
      { node: 'p\n\u001b[1m', reason: "Node name 'p\\u000a\\u001b[1m' is not a name" },
      { node: 'q', reason: 'Attributes have the wrong form: expected Object but received \'""\'' },
    ]);
    // And leases beside them.
    expect((await acquired(source, 'b', 2)).lease.ipv4?.subnet).toBeDefined();
  });
});

describe('expiry', () => {
  test('renews an hour before the end, without waking anybody', async () => {
    const clock = new FakeClock();
    const source = lab.open('a', { clock });
    const { lease } = await acquired(source, 'a', 1);
    const ear = lab.listen(lab.open('b', { clock }));
    await until('the first list', () => ear.names.length === 1);
    utimesSync(`${lab.path}-changed`, 1, 1);
    await clock.advance(23 * HOUR_MS - 1);
    const before = inspect((database) => sure(database.row('a'), 'a').expiresMs);
    await clock.advance(1);
    const after = inspect((database) => sure(database.row('a'), 'a').expiresMs);
    expect(after - before).toBe(23 * HOUR_MS);
    expect(statSync(`${lab.path}-changed`).mtimeMs).toBe(1_000);
    // The peer has read the new expiry by itself.
    await clock.advance(3 * 24 * HOUR_MS);
    expect(ear.peers).toEqual({ a: lease });
  });

  test('drops a peer whose agent is gone, a grace after its end', async () => {
    const clock = new FakeClock();
    const gone = lab.open('a', { clock });
    await acquired(gone, 'a', 1);
    const source = lab.open('b', { clock });
    await acquired(source, 'b', 2);
    const ear = lab.listen(source);
    await until('the first list', () => ear.names.length === 1);
    gone.close();
    await clock.advance(24 * HOUR_MS + GRACE_MS - 1);
    expect(ear.names).toEqual(['a']);
    await clock.advance(1);
    expect(ear.names).toEqual([]);
    expect(ear.changes.at(-1)?.changed).toEqual(new Set(['a']));
    // It comes back with what it had.
    const back = lab.open('a', { clock });
    await acquired(back, 'a', 1);
    await until('the return', () => ear.names.length === 1);
  });

  test('loses nobody when the clock jumps by a year', async () => {
    const clock = new FakeClock();
    const sources = ['a', 'b', 'c'].map((node) => lab.open(node, { clock }));
    const ears = sources.map((source) => lab.listen(source));
    for (const [i, node] of ['a', 'b', 'c'].entries()) await acquired(sure(sources[i], node), node, i + 1);
    await until('all peers', () => ears.every(({ names }) => names.length === 2));
    clock.wallOffsetMs += 365 * 24 * HOUR_MS;
    // One looks, renews and tells; the others hear it and do the same.
    sources[0]?.refresh();
    const isAlive = (node: string) =>
      inspect((database) => sure(database.row(node), node).expiresMs) > clock.nowMs();
    await until('renewals', () => ['a', 'b', 'c'].every(isAlive));
    await clock.advance(2 * HOUR_MS);
    expect(ears.map(({ names }) => names.length)).toEqual([2, 2, 2]);
    expect(ears.flatMap(({ losses }) => losses)).toEqual([]);
  });
});

describe('losing the own lease', () => {
  test('is told when the row is gone', async () => {
    const source = lab.open('a');
    const { lease } = await acquired(source, 'a', 1);
    const ear = lab.listen(source);
    await until('the first list', () => ear.changes.length === 1);
    inspect((database) =>
      database.transact(false, (next) => database.bury('a', { revision: next, nowMs: Date.now() })),
    );
    await until('the loss', () => ear.losses.length === 1);
    expect(ear.losses).toEqual([`The lease of node 'a' is gone from '${lab.path}'`]);
    // The same subnets come back, as nobody else has taken them.
    expect((await acquired(source, 'a', 1)).lease).toEqual(lease);
  });

  test('is told when another process leases for the node, more slowly every time', async () => {
    const source = lab.open('a');
    await acquired(source, 'a', 1);
    const ear = lab.listen(source);
    await until('the first list', () => ear.changes.length === 1);
    const twin = lab.open('a');
    await acquired(twin, 'a', 2);
    await until('the loss', () => ear.losses.length === 1);
    expect(ear.losses[0]).toBe(`Process ${process.pid} has leased for node 'a' too`);
    await acquired(source, 'a', 1);
    const againMs = performance.now();
    await acquired(twin, 'a', 2);
    await until('the second loss', () => ear.losses.length === 2);
    expect(performance.now() - againMs).toBeGreaterThan(300);
  });

  test('is not told of renewals by the same lease', async () => {
    const source = lab.open('a');
    await acquired(source, 'a', 1);
    const ear = lab.listen(source);
    inspect((database) =>
      database.transact(false, (next) => {
        const row = sure(database.row('a'), 'a');
        database.write({ ...row, expiresMs: row.expiresMs + 1, revision: next });
      }),
    );
    source.refresh();
    await settled();
    expect(ear.losses).toEqual([]);
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
