/**
 * What the file system answers a plugin: what cannot be is thrown with its cause and a next step.
 *
 * @module
 */
import { ERRNO, errnoName } from '../netlink/error.ts';
import { CniAbort, cniFailure, thrownText } from './failure.ts';

const NEXT_STEPS: ReadonlyMap<number, string> = new Map([
  [ERRNO.ENOSPC, 'The file system is full: free some room on it'],
  [ERRNO.EDQUOT, 'The quota is used up: free some room'],
  [ERRNO.EROFS, 'The file system is read-only: mount it to be written, or set dataDir to another place'],
  [ERRNO.EACCES, 'A plugin runs as root and with its capabilities'],
  [ERRNO.EPERM, 'A plugin runs as root and with its capabilities'],
  [ERRNO.ENOTDIR, 'A file stands where a folder is expected: remove it, or set dataDir to another place'],
  [ERRNO.EFBIG, 'It is too large to be what is expected here: look at what writes it'],
  [ERRNO.ENAMETOOLONG, 'No file system takes so long a name: choose a shorter one'],
  [ERRNO.EIO, 'The disk cannot be read or written: look into the kernel log'],
  [ERRNO.EMFILE, 'Too many files are open on this node'],
  [ERRNO.ENFILE, 'Too many files are open on this node'],
]);

/** The result of a call that gives back `-errno` if it fails. Throws {@link CniAbort} then; `what` says what was tried. */
export function need<T>(what: string, result: T): T {
  if (typeof result === 'number' && result < 0) throw ioFailure(what, -result);
  return result;
}

/** The error of a file operation. */
export function ioFailure(what: string, errno: number): CniAbort {
  const details = NEXT_STEPS.get(errno) ?? 'The kernel says no more than that';
  return new CniAbort(cniFailure('IO_FAILURE', `cannot ${what}: ${errnoName(errno)}`, details));
}

/** Does something with files by `node:fs`; what that says is thrown as a {@link CniAbort} that tells what could not be done. */
export function doing<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof CniAbort) throw thrown;
    throw new CniAbort(cniFailure('IO_FAILURE', `cannot ${what}`, thrownText(thrown)));
  }
}
