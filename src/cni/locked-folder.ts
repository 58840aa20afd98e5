/**
 * A folder or a file that one process at a time works with, by a lock that ends with its holder.
 *
 * @module
 */
import { lockFile, waitForLock } from '../../ffi/file-lock.ts';
import { closeFile, identityOf, makeFolder, O, openFile } from '../../ffi/files.ts';
import { ERRNO } from '../netlink/error.ts';
import { ioFailure, need } from './io.ts';

/**
 * Makes the folder if there is none and waits for its lock, which closing the descriptor lets go of. Throws
 * {@link CniAbort} if the folder cannot be used.
 */
export function lockFolder(folder: string): number {
  need(`make ${folder}`, makeFolder(folder, 0o755));
  const path = `${folder}/lock`;
  const fd = need(`open ${path}`, openFile(path, O.WRONLY | O.CREAT | O.APPEND, 0o750));
  return locked(fd, waitForLock(fd), path);
}

/**
 * The lock without waiting for it and without making anything: `busy` if another process has it, `undefined` if nobody ever
 * had. Throws {@link CniAbort} if the folder cannot be used.
 */
export function tryLockFolder(folder: string): number | 'busy' | undefined {
  const path = `${folder}/lock`;
  const fd = openFile(path, O.RDONLY);
  if (fd === -ERRNO.ENOENT) return undefined;
  need(`open ${path}`, fd);
  const error = lockFile(fd);
  if (error !== -ERRNO.EAGAIN) return locked(fd, error, path);
  closeFile(fd);
  return 'busy';
}

/**
 * Opens a file with `flags` (O_*) and waits for its lock, which closing the descriptor lets go of. Whoever has the lock may
 * remove the file.
 *
 * @returns the descriptor, or `-errno` if there is none to be had. Throws {@link CniAbort} if it cannot be locked
 */
export function lockFileAt(path: string, flags: number): number {
  for (;;) {
    const fd = openFile(path, flags, 0o600);
    if (fd < 0) return fd;
    locked(fd, waitForLock(fd), path);
    if (identityOf(path)?.inode === identityOf(`/proc/self/fd/${fd}`)?.inode) return fd;
    // It was removed while we waited: the lock is of a file that nobody finds any more.
    closeFile(fd);
  }
}

function locked(fd: number, error: number, path: string): number {
  if (error === 0) return fd;
  closeFile(fd);
  throw ioFailure(`lock ${path}`, -error);
}
