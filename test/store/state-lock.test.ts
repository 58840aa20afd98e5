import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFile } from '../../ffi/file-lock.ts';
import { holderOf, StateLock } from '../../src/store/state-lock.ts';
import { until } from './sources.ts';

let parent: string;
let directory: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'flannelette-lock-'));
  directory = join(parent, 'state');
});
const others: Bun.Subprocess[] = [];
afterEach(() => {
  for (const other of others.splice(0)) other.kill('SIGKILL');
  rmSync(parent, { recursive: true, force: true });
});

function lockOf(nodeName = 'pi-1'): StateLock {
  return new StateLock({ directory, nodeName, lockFile });
}

/** Another process that has the lock; it says `held` when it has. */
async function otherHolder() {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'lock-worker.ts'), directory], {
    stdout: 'pipe',
  });
  others.push(child);
  const { value } = await child.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe('held\n');
  return child;
}

test('a free directory is made, locked, and not written to', () => {
  const lock = lockOf();
  expect(lock.take()).toEqual({ kind: 'held' });
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  const { mtimeMs } = statSync(directory);
  expect(lock.take()).toEqual({ kind: 'held' });
  expect(lock.problem()).toBeUndefined();
  expect([readdirSync(directory), statSync(directory).mtimeMs]).toEqual([[], mtimeMs]);
});

test('the holder is named, and a lock ends with it, also by kill -9', async () => {
  const other = await otherHolder();
  const lock = lockOf();
  expect(lock.take()).toEqual({
    kind: 'taken',
    problem: {
      code: 'state-locked',
      message: `Another agent (process ${other.pid}) has the state directory '${directory}' of node pi-1`,
      remedy: expect.stringContaining('it takes over by itself'),
    },
  });
  other.kill('SIGKILL');
  await until('the end of the lock', () => lock.take().kind === 'held');
});

test('two locks of one process exclude each other, until one is released', () => {
  const [one, two] = [lockOf(), lockOf()];
  expect(one.take().kind).toBe('held');
  expect(two.problem()?.message).toContain(`process ${process.pid}`);
  one.release();
  expect(two.take().kind).toBe('held');
});

test('the lock is that of the directory at the path, whatever becomes of the one before', () => {
  const lock = lockOf();
  lock.take();
  rmSync(directory, { recursive: true });
  expect(lock.take()).toEqual({ kind: 'held' });
  expect(lockOf().take().kind).toBe('taken');
});

test('what is no directory cannot be locked, and says why', () => {
  writeFileSync(directory, 'in the way\n');
  expect(lockOf().take()).toEqual({ kind: 'impossible', reason: expect.stringContaining('EEXIST') });
  expect(lockOf().problem()).toBeUndefined();
});

test('a directory that may not be written can be locked', () => {
  expect(lockOf().take().kind).toBe('held');
  chmodSync(directory, 0o500);
  expect(lockOf().take().kind).toBe('taken');
});

test('a file system that knows no locks is no reason to wait', () => {
  const lock = new StateLock({ directory, nodeName: 'pi-1', lockFile: () => -95 });
  expect(lock.take()).toEqual({ kind: 'impossible', reason: 'flock failed with errno 95' });
});

test('holderOf() finds the lock of a directory among others', () => {
  const locks = [
    '1: POSIX  ADVISORY  WRITE 11 103:02:4711 0 EOF',
    '2: FLOCK  ADVISORY  WRITE 12 00:1a:4711 0 EOF',
    '2: -> FLOCK  ADVISORY  WRITE 13 103:02:4711 0 EOF',
    '3: FLOCK  ADVISORY  WRITE 14 103:02:4711 0 EOF',
    '4: FLOCK  ADVISORY  READ  15 103:02:4711 0 EOF',
  ].join('\n');
  const dev = (0x103 << 8) | 0x02;
  expect(holderOf(locks, { dev, ino: 4711 })).toBe(14);
  expect(holderOf(locks, { dev: 0x42, ino: 4711 })).toBe(12);
  expect(holderOf(locks, { dev, ino: 471 })).toBeUndefined();
});
