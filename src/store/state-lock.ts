/**
 * A node's state directory belongs to one agent at a time: two would take each other's lease and devices.
 *
 * The lock is the kernel's, on the directory itself: it ends with its holder, also by kill -9, leaves nothing
 * behind, and costs no write. Who holds it stands in `/proc/locks`.
 *
 * @module
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { type Problem, problem } from '../model/problem.ts';

/** What came of an attempt. */
export type LockOutcome =
  | { readonly kind: 'held' }
  /** Another process has it. */
  | { readonly kind: 'taken'; readonly problem: Problem }
  /** There is no directory to lock, or its file system knows no locks. */
  | { readonly kind: 'impossible'; readonly reason: string };

/** What a lock needs. */
export interface StateLockOptions {
  /** It is made if there is none. */
  readonly directory: string;
  readonly nodeName: string;
  /** flock(2) without waiting. Returns 0, or `-errno`. */
  readonly lockFile: (fd: number) => number;
}

/** asm-generic/errno.h, which every architecture that we build for has. */
const EWOULDBLOCK = 11;

/** The lock on one state directory. */
export class StateLock {
  readonly #options: StateLockOptions;
  #fd: number | undefined;

  constructor(options: StateLockOptions) {
    this.#options = options;
  }

  /** Takes the lock, or makes sure that it is still that of the directory at the path. */
  take(): LockOutcome {
    const { directory } = this.#options;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      if (this.#fd !== undefined && isOpen(this.#fd, directory)) return { kind: 'held' };
      return this.#lock(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY));
    } catch (error) {
      return { kind: 'impossible', reason: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Who keeps the lock from us, if that is why it is not held. */
  problem(): Problem | undefined {
    const outcome = this.take();
    return outcome.kind === 'taken' ? outcome.problem : undefined;
  }

  /** Gives it up. */
  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #lock(fd: number): LockOutcome {
    const { directory, nodeName, lockFile } = this.#options;
    const result = lockFile(fd);
    if (result === 0) {
      this.release();
      this.#fd = fd;
      return { kind: 'held' };
    }
    const { dev, ino } = fstatSync(fd);
    closeSync(fd);
    if (result !== -EWOULDBLOCK) return { kind: 'impossible', reason: `flock failed with errno ${-result}` };
    const pid = holderOf(readLocks(), { dev, ino });
    const holder = pid === undefined ? 'of another container' : `process ${pid}`;
    const message = `Another agent (${holder}) has the state directory '${directory}' of node ${nodeName}`;
    return { kind: 'taken', problem: problem('state-locked', message) };
  }
}

/** What `/proc/locks` says, which shows only processes that this one can see. */
export function holderOf(locks: string, { dev, ino }: { dev: number; ino: number }): number | undefined {
  const onInode: { pid: number; device: string }[] = [];
  for (const line of locks.split('\n')) {
    const match = /^\d+: FLOCK +ADVISORY +WRITE (\d+) ([0-9a-f]+:[0-9a-f]+):(\d+) /.exec(line);
    if (match !== null && Number(match[3]) === ino)
      onInode.push({ pid: Number(match[1]), device: match[2] ?? '' });
  }
  // Some file systems (btrfs) tell stat(2) another device than they have.
  const found = onInode.find(({ device }) => device === deviceText(dev)) ?? onInode[0];
  return found?.pid;
}

/** A device number as `/proc/locks` writes it (makedev(3), `%02x:%02x`). */
function deviceText(dev: number): string {
  const number = BigInt(dev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn & 0xffffffffn);
  return [major, minor].map((part) => part.toString(16).padStart(2, '0')).join(':');
}

function isOpen(fd: number, directory: string): boolean {
  const [open, named] = [fstatSync(fd), statSync(directory)];
  return open.dev === named.dev && open.ino === named.ino;
}

function readLocks(): string {
  try {
    return readFileSync('/proc/locks', 'utf8');
  } catch {
    return '';
  }
}
