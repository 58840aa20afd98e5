import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from '../unit/store/samples.ts';
import { acquired, Laboratory, refusal, until } from './sources.ts';

let lab: Laboratory;
beforeEach(() => {
  lab = new Laboratory();
});
afterEach(() => lab.close());

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
    const { ears } = await lab.twoAgents();
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
    const { sources, ears } = await lab.twoAgents();
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
