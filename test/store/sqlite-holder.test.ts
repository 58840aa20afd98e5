import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aliveHere, type Holder, thisHolder } from '../../src/store/sqlite/holder.ts';
import { request } from '../unit/store/samples.ts';
import { acquired, Laboratory, refusal, until } from './sources.ts';

let lab: Laboratory;
beforeEach(() => {
  lab = new Laboratory();
});
const others: Bun.Subprocess[] = [];
afterEach(() => {
  for (const other of others.splice(0)) other.kill('SIGKILL');
  lab.close();
});

/** Another process that leases for a node. */
async function otherAgent(node: string, n: number) {
  const command = [process.execPath, join(import.meta.dir, 'lease-worker.ts'), lab.path, node, String(n)];
  const child = Bun.spawn(command, { stdout: 'pipe' });
  others.push(child);
  const { value } = await child.stdout.getReader().read();
  // By the names of its own file: the runtime goes by several.
  const isAlive = aliveHere({ pid: child.pid, bootId: thisHolder().bootId });
  return { child, isAlive, said: new TextDecoder().decode(value).trim() };
}

function holderOfRow(node: string): Holder {
  const row = lab.inspect((database) => database.row(node));
  return { pid: row?.pid ?? 0, bootId: row?.bootId ?? '' };
}

/** Puts another process into a node's row, as if that had written it. */
function sign(node: string, holder: Holder): void {
  lab.inspect((database) =>
    database.transact(false, (revision) => {
      const row = database.row(node);
      if (row !== undefined) database.write({ ...row, ...holder, revision });
    }),
  );
}

describe('a lease of another process', () => {
  test('is left to it while it runs, which is said with process and boot, and taken when it has ended', async () => {
    const { child, isAlive, said } = await otherAgent('a', 1);
    expect(said).toBe('ok');
    const { bootId } = thisHolder();
    const source = lab.open('a', { isAlive });
    const before = lab.inspect((database) => database.row('a'));
    expect(refusal(await source.acquire(request('a', 2)))).toEqual({
      code: 'lease-held',
      message: `The lease of node 'a' is held by process ${child.pid} of boot ${bootId}, which still runs`,
      remedy: expect.stringContaining('takes over when that has ended'),
    });
    // Nor if it wants the same.
    expect(refusal(await source.acquire(request('a', 1))).code).toBe('lease-held');
    expect(lab.inspect((database) => database.row('a'))).toEqual(before);
    child.kill('SIGKILL');
    await child.exited;
    const { lease } = await acquired(source, 'a', 2);
    expect([lease.ipv4?.subnet, lease.ipv6?.subnet]).toEqual([
      before?.subnet as never,
      before?.subnetV6 as never,
    ]);
    expect(holderOfRow('a')).toEqual(thisHolder());
  });

  test.each([
    ['an earlier boot', { pid: process.ppid, bootId: '00000000-0000-4000-8000-000000000000' }],
    ['an unknown boot', { pid: process.ppid, bootId: '' }],
    ['a number that nobody has', { pid: 4_194_305, bootId: thisHolder().bootId }],
    ['a number that makes no sense', { pid: -1, bootId: thisHolder().bootId }],
    ['a number that another program has by now', { pid: 1, bootId: thisHolder().bootId }],
  ])('of %s is taken at once, and signed though nothing else changes', async (_, holder) => {
    const { lease } = await acquired(lab.open('a'), 'a', 1);
    sign('a', holder);
    const again = await acquired(lab.open('a'), 'a', 1);
    expect(again.lease).toEqual(lease);
    expect(holderOfRow('a')).toEqual(thisHolder());
  });

  test('is not fought over when an agent that asks nobody has taken it: the one that had it says by whom', async () => {
    const { child, isAlive } = await otherAgent('z', 9);
    const source = lab.open('a', { isAlive });
    const ear = lab.listen(source);
    await acquired(source, 'a', 1);
    await until('the first list', () => ear.changes.length === 1);
    const rival = { pid: child.pid, bootId: thisHolder().bootId };
    // The same lease, by another process: nothing else tells that there are two.
    sign('a', rival);
    await until('the loss', () => ear.losses.length === 1);
    const who = `process ${rival.pid} of boot ${rival.bootId}`;
    expect(ear.losses).toEqual([`The lease of node 'a' was taken by ${who}`]);
    expect(refusal(await source.acquire(request('a', 1))).message).toContain(`is held by ${who}`);
    expect(holderOfRow('a')).toEqual(rival);
    child.kill('SIGKILL');
    await child.exited;
    await acquired(source, 'a', 1);
    expect(holderOfRow('a')).toEqual(thisHolder());
  });

  test('is not renewed by one who has lost it', async () => {
    const rival = { pid: 7, bootId: 'b' };
    let isAlive = false;
    const source = lab.open('a', { isAlive: () => isAlive });
    await acquired(source, 'a', 1);
    sign('a', rival);
    isAlive = true;
    expect(refusal(await source.acquire(request('a', 2))).code).toBe('lease-held');
    expect(holderOfRow('a')).toEqual(rival);
  });
});

describe('aliveHere()', () => {
  const self: Holder = { pid: 10, bootId: 'now' };

  function procOf(stats: Readonly<Record<number, string>>): string {
    for (const [pid, stat] of Object.entries(stats)) {
      mkdirSync(join(lab.directory, 'proc', pid), { recursive: true });
      writeFileSync(join(lab.directory, 'proc', pid, 'stat'), stat);
    }
    return join(lab.directory, 'proc');
  }

  test('knows a process of our name and boot that has not ended', () => {
    const proc = procOf({
      10: '10 (flannelette) R 1 10',
      11: '11 (flannelette) S 1 11',
      12: '12 (flannelette) Z 1 12',
      13: '13 (bash) S 1 13',
      14: '14 (a) S (flannelette) S 1 14',
      15: '15 (flannelette-lin) S 1 15',
    });
    const isAlive = aliveHere(self, proc);
    const alive = [10, 11, 12, 13, 14, 15, 16].filter((pid) => isAlive({ pid, bootId: 'now' }));
    expect(alive).toEqual([10, 11, 15]);
    expect(isAlive({ pid: 11, bootId: 'before' })).toBe(false);
    expect(aliveHere({ pid: 10, bootId: '' }, proc)({ pid: 11, bootId: '' })).toBe(false);
  });
});
