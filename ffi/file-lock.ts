/**
 * flock(2): a lock on an open file that ends with its holder, however that ends.
 *
 * @module
 */
import { checked, libc } from './libc.ts';

/** sys/file.h */
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Locks an open file or directory for this process alone; the lock ends when the descriptor is closed. Never
 * waits.
 *
 * @returns 0, or `-errno`: `-EWOULDBLOCK` (-11) if another process has the lock
 */
export function lockFile(fd: number): number {
  return checked(libc.flock(fd, LOCK_EX | LOCK_NB));
}

/** errno.h */
const EINTR = 4;

/**
 * Locks an open file for this process alone and waits until nobody else has the lock. It holds the thread: for a
 * process that has nothing else to do.
 *
 * @returns 0, or `-errno`
 */
export function waitForLock(fd: number): number {
  for (;;) {
    const result = checked(libc.flock(fd, LOCK_EX));
    if (result !== -EINTR) return result;
  }
}
