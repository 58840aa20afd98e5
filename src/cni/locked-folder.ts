/**
 * A folder that one process at a time works in, by a lock that ends with its holder.
 *
 * @module
 */
import { lockFile, waitForLock } from '../../ffi/file-lock.ts';
import { closeFile, makeFolder, O, openFile } from '../../ffi/files.ts';
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

function locked(fd: number, error: number, path: string): number {
  if (error === 0) return fd;
  closeFile(fd);
  throw ioFailure(`lock ${path}`, -error);
}
