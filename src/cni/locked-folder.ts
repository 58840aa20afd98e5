/**
 * A folder that one process at a time works in, by a lock that ends with its holder.
 *
 * @module
 */
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile, waitForLock } from '../../ffi/file-lock.ts';
import { ERRNO, errnoName } from '../netlink/error.ts';
import { CniAbort, cniFailure, thrownText } from './failure.ts';

/**
 * Makes the folder if there is none and waits for its lock, which closing the descriptor lets go of. Throws
 * {@link CniAbort} if the folder cannot be used.
 */
export function lockFolder(folder: string): number {
  return doing(`open ${folder}`, () => {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const fd = openSync(join(folder, 'lock'), 'a', 0o750);
    const error = waitForLock(fd);
    if (error === 0) return fd;
    closeSync(fd);
    throw new Error(`flock: ${errnoName(-error)}`);
  });
}

/**
 * The lock without waiting for it and without making anything: `busy` if another process has it, `undefined` if nobody ever
 * had. Throws {@link CniAbort} if the folder cannot be used.
 */
export function tryLockFolder(folder: string): number | 'busy' | undefined {
  const path = join(folder, 'lock');
  if (!existsSync(path)) return undefined;
  return doing(`open ${path}`, () => {
    const fd = openSync(path, 'r');
    const error = lockFile(fd);
    if (error === 0) return fd;
    closeSync(fd);
    if (-error === ERRNO.EAGAIN) return 'busy';
    throw new Error(`flock: ${errnoName(-error)}`);
  });
}

/** Does something with files; what they say is thrown as a {@link CniAbort} that tells what could not be done. */
export function doing<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof CniAbort) throw thrown;
    throw new CniAbort(cniFailure('IO_FAILURE', `cannot ${what}`, thrownText(thrown)));
  }
}
