import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { statSync, utimesSync } from 'node:fs';
import { FakeClock, settled } from '../sim/fake-clock.ts';
import { sure } from '../unit/store/samples.ts';
import { acquired, Laboratory, until } from './sources.ts';

const HOUR_MS = 3_600_000;
const GRACE_MS = 120_000;

let lab: Laboratory;
beforeEach(() => {
  lab = new Laboratory();
});
afterEach(() => lab.close());

describe('expiry', () => {
  test('renews an hour before the end, without waking anybody', async () => {
    const clock = new FakeClock();
    const source = lab.open('a', { clock });
    const { lease } = await acquired(source, 'a', 1);
    const ear = lab.listen(lab.open('b', { clock }));
    await until('the first list', () => ear.names.length === 1);
    utimesSync(`${lab.path}-changed`, 1, 1);
    await clock.advance(23 * HOUR_MS - 1);
    const before = lab.inspect((database) => sure(database.row('a'), 'a').expiresMs);
    await clock.advance(1);
    const after = lab.inspect((database) => sure(database.row('a'), 'a').expiresMs);
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

  test.each([1, 20, -1, -20])('loses nobody when the clock jumps by a year, %i times', async (years) => {
    const clock = new FakeClock();
    const sources = ['a', 'b', 'c'].map((node) => lab.open(node, { clock }));
    const ears = sources.map((source) => lab.listen(source));
    for (const [i, node] of ['a', 'b', 'c'].entries()) await acquired(sure(sources[i], node), node, i + 1);
    await until('all peers', () => ears.every(({ names }) => names.length === 2));
    clock.wallOffsetMs += years * 365 * 24 * HOUR_MS;
    // One looks, renews and tells; the others hear it and do the same.
    sources[0]?.refresh();
    const isAlive = (node: string) => {
      const leftMs = lab.inspect((database) => sure(database.row(node), node).expiresMs) - clock.nowMs();
      return leftMs > 0 && leftMs <= 24 * HOUR_MS;
    };
    // Nobody has expired by a jump back: that is put right within the hour, and nobody is woken for it.
    if (years < 0) await clock.advance(2 * HOUR_MS);
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
    lab.inspect((database) =>
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
    // One that this process does not see, as if it were in another container.
    const twin = lab.open('a', { holder: { pid: 7, bootId: 'b' }, isAlive: () => false });
    await acquired(twin, 'a', 2);
    await until('the loss', () => ear.losses.length === 1);
    expect(ear.losses[0]).toBe("The lease of node 'a' was taken by process 7 of boot b");
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
    lab.inspect((database) =>
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
