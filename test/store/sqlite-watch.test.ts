import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { settled } from '../sim/fake-clock.ts';
import { request, sure } from '../unit/store/samples.ts';
import { acquired, granted, Laboratory, until } from './sources.ts';

let lab: Laboratory;
beforeEach(() => {
  lab = new Laboratory();
});
afterEach(() => lab.close());

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
    lab.inspect((database) =>
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
    lab.inspect((database) =>
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
    lab.inspect((database) =>
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
      { node: 'p\\u000a\\u001b[1m', reason: "Node name 'p\\u000a\\u001b[1m' is not a name" },
      { node: 'q', reason: 'Attributes have the wrong form: expected Object but received \'""\'' },
    ]);
    // And leases beside them.
    expect((await acquired(source, 'b', 2)).lease.ipv4?.subnet).toBeDefined();
  });
});
