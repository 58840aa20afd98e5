/**
 * Making the database file, once, however many agents start at the same moment.
 *
 * If only the database was deleted, its write-ahead log and shared memory are still there, and agents that
 * have not noticed yet still use them: SQLite would take them for those of the new file. They have to go
 * first, but never those that another agent has just made. So whoever creates holds a lock that the kernel
 * gives up when its holder dies: an SQLite lock on the (always empty) sibling file.
 *
 * @module
 */
import { Database } from 'bun:sqlite';
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { CREATE_MODE, ensureSibling } from './sibling.ts';

/** How long to wait for another agent's creation, which takes well below a millisecond. */
const LOCK_WAIT_MS = 100;

/**
 * Makes an empty database file (mode 0600) in a directory (0700) if there is none.
 *
 * @returns whether it made one
 * @throws SQLiteError if another process is at it, a system error if the directory does not allow it
 */
export function createDatabaseFile(path: string): boolean {
  if (existsSync(path)) return false;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lock = new Database(ensureSibling(path), { readwrite: true, create: false });
  try {
    lock.run(`PRAGMA busy_timeout = ${LOCK_WAIT_MS}`);
    lock.run('PRAGMA journal_mode = MEMORY');
    lock.run('BEGIN EXCLUSIVE');
    const isMissing = !existsSync(path);
    if (isMissing) {
      for (const suffix of ['-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true });
      closeSync(openSync(path, 'wx', CREATE_MODE));
    }
    lock.run('ROLLBACK');
    return isMissing;
  } finally {
    lock.close();
  }
}
