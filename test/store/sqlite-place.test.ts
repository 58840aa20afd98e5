import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteLeaseSource } from '../../src/store/sqlite/source.ts';
import { FakeClock, settled } from '../sim/fake-clock.ts';
import { network, request } from '../unit/store/samples.ts';
import { acquired, Laboratory, refusal, until } from './sources.ts';

let lab: Laboratory;
beforeEach(() => {
  lab = new Laboratory();
});
afterEach(() => lab.close());

/** What a worker prints that runs as root of user and mount namespaces of its own. */
function isolated(worker: string) {
  const command = ['unshare', '-Urm', process.execPath, join(import.meta.dir, worker), lab.directory];
  const { stdout, stderr } = Bun.spawnSync(command);
  expect(stderr.toString()).toBe('');
  return JSON.parse(stdout.toString());
}

describe('a database that was deleted', () => {
  /** Lets every agent that lost its lease take one again, and gives back what they hold then. */
  async function recover({ sources, ears }: Awaited<ReturnType<Laboratory['twoAgents']>>) {
    await until('the losses', () => ears.every(({ losses }) => losses.length === 1));
    const leases = [await acquired(sources[0], 'a', 1), await acquired(sources[1], 'b', 2)];
    await until('acquaintance', () => ears.every(({ names }) => names.length === 1));
    return leases.map(({ lease }) => lease);
  }

  test('is made again, with the same subnets, and no peer is ever missed', async () => {
    const agents = await lab.twoAgents();
    for (const suffix of ['', '-wal', '-shm', '-changed']) rmSync(lab.path + suffix);
    const leases = await recover(agents);
    expect(leases).toEqual(agents.leases.map(({ lease }) => lease));
    expect(agents.ears.map(({ sizes }) => sizes.filter((size) => size === 0).length)).toEqual([1, 1]);
  });

  test('does not meet the log that was left behind', async () => {
    const agents = await lab.twoAgents();
    rmSync(lab.path);
    expect(await recover(agents)).toEqual(agents.leases.map(({ lease }) => lease));
    const db = new Database(lab.path, { readonly: true });
    expect(db.query('PRAGMA integrity_check').values()).toEqual([['ok']]);
    expect(db.query('SELECT count(*) FROM lease').values()).toEqual([[2]]);
    db.close();
  });

  test('is made again with its directory, which is watched again', async () => {
    // One watch only: Bun shares those of one path, and keeps a dead one for as long as anybody has it open.
    const source = lab.open('b');
    const ear = lab.listen(source);
    const { lease } = await acquired(source, 'b', 2);
    rmSync(lab.directory, { recursive: true });
    await until('the loss', () => ear.losses.length === 1);
    expect((await acquired(source, 'b', 2)).lease).toEqual(lease);
    await acquired(lab.open('a'), 'a', 7);
    await until('the newcomer', () => ear.names.length === 1);
  });

  test('is used again if it comes back with what it had', async () => {
    const agents = await lab.twoAgents();
    new Database(lab.path).run(`VACUUM INTO '${lab.path}.copy'`);
    for (const suffix of ['-wal', '-shm']) rmSync(lab.path + suffix);
    renameSync(`${lab.path}.copy`, lab.path);
    await acquired(agents.sources[0], 'a', 7);
    await until('the change', () => agents.ears[1].peer('a')?.ipv4?.publicIp.endsWith('.7') === true);
    expect(agents.ears.flatMap(({ losses }) => losses)).toEqual([]);
  });

  test('keeps a peer that does not come back for as long as its grace', async () => {
    const clock = new FakeClock();
    const silent = lab.open('a', { clock });
    await acquired(silent, 'a', 1);
    const source = lab.open('b', { clock });
    const ear = lab.listen(source);
    await acquired(source, 'b', 2);
    await until('acquaintance', () => ear.names.length === 1);
    silent.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(lab.path + suffix);
    await until('the loss', () => clock.pendingCount > 0 && existsSync(lab.path));
    source.refresh();
    await clock.advance(119_999);
    expect(ear.names).toEqual(['a']);
    await clock.advance(1);
    expect(ear.names).toEqual([]);
  });

  test('is heard of though the sibling file is deleted again and again', async () => {
    const { sources, ears } = await lab.twoAgents();
    for (let n = 10; n < 15; n++) {
      rmSync(`${lab.path}-changed`);
      await acquired(sources[0], 'a', n);
      await until('the change', () => ears[1].peer('a')?.ipv4?.publicIp.endsWith(`.${n}`) === true);
    }
  });
});

describe('a place that cannot be written', () => {
  test('a directory that cannot be made names the reason', async () => {
    writeFileSync(join(lab.directory, 'file'), '');
    const path = join(lab.directory, 'file', 'leases.db');
    const source = new SqliteLeaseSource({ path, network: network(), node: 'a', renewMarginMinutes: 60 });
    const problem = refusal(await source.acquire(request('a', 1)));
    expect(problem.code).toBe('store-unavailable');
    expect(problem.message).toStartWith(`Cannot use the lease database '${path}': EEXIST`);
    source.close();
  });

  test('is tried again with pauses from 100 ms to 30 s, and told once', async () => {
    const clock = new FakeClock();
    writeFileSync(join(lab.directory, 'file'), '');
    const path = join(lab.directory, 'file', 'leases.db');
    const source = new SqliteLeaseSource({
      path,
      network: network(),
      node: 'a',
      renewMarginMinutes: 60,
      clock,
      // The whole of each pause.
      random: () => 1,
    });
    const ear = lab.listen(source);
    await settled();
    expect(ear.statuses).toHaveLength(1);
    expect(clock.nextInMs).toBe(100);
    await clock.advance(100);
    expect(clock.nextInMs).toBe(200);
    await clock.advance(3_600_000);
    expect(clock.nextInMs).toBeWithin(1, 30_001);
    expect(ear.statuses.filter(({ problem }) => problem === undefined)).toEqual([]);
    expect(ear.changes).toEqual([]);
    // The way is free.
    rmSync(join(lab.directory, 'file'));
    await clock.advance(60_000);
    expect(ear.statuses.at(-1)?.problem).toBeUndefined();
    expect(ear.changes).toHaveLength(1);
    source.close();
    expect(clock.pendingCount).toBe(0);
  });

  test('a full disk and a read-only one name the reason, and are left when they are better', () => {
    const { first, full, kept, emptied, refused, unmade } = isolated('disk-worker.ts');
    expect(first.ok).toBe(true);
    // There may be room for some in what was left of a page.
    expect(full.at(-1)).toEqual({
      code: 'store-unavailable',
      message: `Cannot use the lease database '${lab.path}': SQLITE_FULL: database or disk is full`,
      remedy: 'Make room on the disk of the lease store; the data plane keeps working meanwhile',
    });
    expect(kept).toEqual({ ok: true, value: first.value.lease });
    expect(emptied.ok).toBe(true);
    expect(refused.error.message).toStartWith(`Cannot use the lease database '${lab.path}': SQLITE_READONLY`);
    expect(unmade.error.message).toStartWith(`Cannot use the lease database '${lab.path}': EROFS`);
  });
});

test('without inotify the store reads when it is asked to, says so, and listens as soon as it can', () => {
  const { unheard, trouble } = isolated('inotify-worker.ts');
  expect(unheard).toEqual([]);
  expect(trouble).toEqual({
    code: 'store-unavailable',
    message: `Cannot watch '${lab.directory}' for changes of leases: EMFILE: too many open files, watch '${lab.directory}'`,
    remedy: 'Check the directory, and raise fs.inotify.max_user_instances and max_user_watches',
  });
}, 30_000);
