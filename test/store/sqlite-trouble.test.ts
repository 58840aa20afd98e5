import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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

/** Two agents that know each other. */
async function twoAgents() {
  const sources = [lab.open('a'), lab.open('b')] as const;
  const ears = [lab.listen(sources[0]), lab.listen(sources[1])] as const;
  const leases = [await acquired(sources[0], 'a', 1), await acquired(sources[1], 'b', 2)] as const;
  await until('acquaintance', () => ears.every(({ names }) => names.length === 1));
  return { sources, ears, leases };
}

/** Another process that runs a script with this runtime; it says `ready` when it has done its harm. */
async function otherProcess(script: string) {
  const child = Bun.spawn([process.execPath, '-e', script], { stdin: 'pipe', stdout: 'pipe' });
  await child.stdout.getReader().read();
  return {
    async end(): Promise<void> {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}

/** What a worker prints that runs as root of user and mount namespaces of its own. */
function isolated(worker: string) {
  const command = ['unshare', '-Urm', process.execPath, join(import.meta.dir, worker), lab.directory];
  const { stdout, stderr } = Bun.spawnSync(command);
  expect(stderr.toString()).toBe('');
  return JSON.parse(stdout.toString());
}

function lockScript(path: string): string {
  return `
    const { Database } = require('bun:sqlite');
    const db = new Database(${JSON.stringify(path)});
    db.run('BEGIN EXCLUSIVE');
    console.log('ready');
    setInterval(() => {}, 1000);`;
}

describe('a locked database', () => {
  test('is waited for, without blocking anything else', async () => {
    await acquired(lab.open('a'), 'a', 1);
    const other = await otherProcess(lockScript(lab.path));
    let longestMs = 0;
    let lastMs = performance.now();
    const pulse = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 5);
    const wait = acquired(lab.open('b'), 'b', 2);
    await Bun.sleep(600);
    await other.end();
    expect((await wait).lease.node).toBe('b');
    clearInterval(pulse);
    // SQLite itself waits for up to 100 ms at a time.
    expect(longestMs).toBeLessThan(1_000);
  });

  test('becomes a problem after five seconds, while reading goes on', async () => {
    const { ears } = await twoAgents();
    const other = await otherProcess(lockScript(lab.path));
    const source = lab.open('c');
    expect(refusal(await source.acquire(request('c', 3)))).toEqual({
      code: 'store-unavailable',
      message: `Lease database '${lab.path}' is locked by another process (SQLITE_BUSY: database is locked)`,
      remedy: 'Check the lease store; the data plane keeps working meanwhile',
    });
    expect(source.status().problem?.code).toBe('store-unavailable');
    expect((await source.own('a')).ok).toBe(true);
    await other.end();
    expect((await acquired(source, 'c', 3)).lease.node).toBe('c');
    expect(source.status().problem).toBeUndefined();
    await until('the newcomer', () => ears.every(({ names }) => names.length === 2));
  }, 30_000);
});

describe('a file that is not ours', () => {
  test('is left as it is if it is no database', async () => {
    const garbage = 'Not a database. '.repeat(1_000);
    writeFileSync(lab.path, garbage);
    const source = lab.open('a');
    expect(refusal(await source.acquire(request('a', 1)))).toMatchObject({
      code: 'store-corrupt',
      message: `Lease database '${lab.path}' is damaged (SQLITE_NOTADB: file is not a database)`,
    });
    expect(refusal(await source.own('a')).code).toBe('store-corrupt');
    source.close();
    expect(readFileSync(lab.path, 'utf8')).toBe(garbage);
  });

  test('is left as it is if it is damaged inside', async () => {
    const source = lab.open('a');
    await acquired(source, 'a', 1);
    source.close();
    const bytes = readFileSync(lab.path);
    // The header and the schema stay sound, the tables do not.
    bytes.fill(0xa5, 4_096);
    writeFileSync(lab.path, bytes);
    const again = lab.open('a');
    expect(refusal(await again.acquire(request('a', 1)))).toMatchObject({
      code: 'store-corrupt',
      message: `Lease database '${lab.path}' is damaged (SQLITE_CORRUPT: database disk image is malformed)`,
    });
    again.close();
    expect(readFileSync(lab.path).equals(bytes)).toBe(true);
  });

  test('is left as it is if another program has made it', async () => {
    const db = new Database(lab.path);
    db.run('CREATE TABLE recipes (name TEXT)');
    db.close();
    const before = readFileSync(lab.path);
    expect(refusal(await lab.open('a').acquire(request('a', 1)))).toEqual({
      code: 'store-corrupt',
      message: `Lease database '${lab.path}' belongs to another program`,
      remedy: 'Name another file with --lease-db',
    });
    expect(readFileSync(lab.path).equals(before)).toBe(true);
  });

  test('is left as it is if a newer version has made it', async () => {
    await acquired(lab.open('a'), 'a', 1);
    const db = new Database(lab.path);
    db.run('PRAGMA user_version = 2');
    const rows = db.query('SELECT * FROM lease').all();
    const source = lab.open('a');
    expect(refusal(await source.acquire(request('a', 2)))).toMatchObject({
      code: 'store-version',
      message: `Lease database '${lab.path}' has version 2, this program knows up to 1`,
    });
    expect(refusal(await source.own('a')).code).toBe('store-version');
    expect(db.query('SELECT * FROM lease').all()).toEqual(rows);
    db.close();
  });

  test('is taken if a later version only added to it', async () => {
    await acquired(lab.open('a'), 'a', 1);
    const db = new Database(lab.path);
    db.run("ALTER TABLE lease ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'");
    db.close();
    await acquired(lab.open('a'), 'a', 2);
    await acquired(lab.open('b'), 'b', 3);
  });
});

describe('a damaged database while it is open', () => {
  test('leaves the last good leases in use, and is used again when it is sound', async () => {
    const { sources, ears } = await twoAgents();
    const copy = `${lab.path}.copy`;
    new Database(lab.path).run(`VACUUM INTO '${copy}'`);
    rmSync(`${lab.path}-wal`);
    rmSync(`${lab.path}-shm`);
    writeFileSync(`${lab.path}.bad`, 'Not a database. '.repeat(1_000));
    renameSync(`${lab.path}.bad`, lab.path);
    await until('the trouble', () => ears.every(({ statuses }) => statuses.length > 0));
    expect(ears[0].statuses[0]).toMatchObject({
      name: `sqlite ${lab.path}`,
      problem: { code: 'store-corrupt' },
    });
    sources[0].refresh();
    expect(ears.map(({ names }) => names)).toEqual([['b'], ['a']]);
    renameSync(copy, lab.path);
    await until('the end of the trouble', () =>
      sources.every((source) => source.status().problem === undefined),
    );
    expect(ears.map(({ names }) => names)).toEqual([['b'], ['a']]);
    expect(ears.flatMap(({ losses }) => losses)).toEqual([]);
  }, 30_000);
});

describe('a database that was deleted', () => {
  /** Lets every agent that lost its lease take one again, and gives back what they hold then. */
  async function recover({ sources, ears }: Awaited<ReturnType<typeof twoAgents>>) {
    await until('the losses', () => ears.every(({ losses }) => losses.length === 1));
    const leases = [await acquired(sources[0], 'a', 1), await acquired(sources[1], 'b', 2)];
    await until('acquaintance', () => ears.every(({ names }) => names.length === 1));
    return leases.map(({ lease }) => lease);
  }

  test('is made again, with the same subnets, and no peer is ever missed', async () => {
    const agents = await twoAgents();
    for (const suffix of ['', '-wal', '-shm', '-changed']) rmSync(lab.path + suffix);
    const leases = await recover(agents);
    expect(leases).toEqual(agents.leases.map(({ lease }) => lease));
    expect(
      agents.ears.map(({ changes }) => changes.filter(({ set }) => set.peers.size === 0).length),
    ).toEqual([1, 1]);
  });

  test('does not meet the log that was left behind', async () => {
    const agents = await twoAgents();
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
    const agents = await twoAgents();
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
    const { sources, ears } = await twoAgents();
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
      random: () => 0,
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
