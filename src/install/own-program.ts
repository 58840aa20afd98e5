/**
 * This program's own executable, and whether another file is the same.
 *
 * @module
 */
import { closeSync, lstatSync, openSync, readlinkSync, readSync, realpathSync, statSync } from 'node:fs';

/** The executable of this process, also if its path leads elsewhere by now (proc_pid_exe(5)). */
export const OWN_EXECUTABLE = '/proc/self/exe';

/**
 * How much of the end is compared. Behind the runtime, whose size and build differ from version to version, stands
 * our own code, of 6 MB.
 */
const TAIL_BYTES = 8 << 20;
const CHUNK_BYTES = 1 << 16;

/** See the module. */
export class OwnProgram {
  /** Where it was started from. */
  readonly path = readlinkSync(OWN_EXECUTABLE);
  /** What was found alike, by what `stat` says of it: it is read once. */
  readonly #alike = new Set<string>();

  /** Whether this is the compiled program, not a runtime with a script. */
  get isInstallable(): boolean {
    return Bun.main.startsWith('/$bunfs/');
  }

  /** Whether what is at a path is this program: a link to where it was started from, the file itself, or a copy. */
  isAt(path: string): boolean {
    try {
      const isLink = lstatSync(path).isSymbolicLink();
      // Of a program that is being replaced: the link leads to the next one.
      if (isLink) return realpathSync(path) === this.path;
      const [own, found] = [statSync(OWN_EXECUTABLE), statSync(path)];
      if (!found.isFile() || (found.mode & 0o111) !== 0o111) return false;
      if (found.dev === own.dev && found.ino === own.ino) return true;
      if (found.size !== own.size) return false;
      const mark = `${found.dev} ${found.ino} ${found.mtimeMs} ${found.ctimeMs}`;
      if (this.#alike.has(mark)) return true;
      if (!haveSameTail(path, OWN_EXECUTABLE, own.size)) return false;
      this.#alike.add(mark);
      return true;
    } catch {
      return false;
    }
  }
}

/** Whether two files of one size have the same end, read in small pieces: memory that was used once is not given back at once. */
function haveSameTail(path: string, other: string, size: number): boolean {
  const [one, two] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)];
  const fds = [openSync(path, 'r'), openSync(other, 'r')] as const;
  try {
    for (let at = Math.max(0, size - TAIL_BYTES); at < size; at += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, size - at);
      const read = [readSync(fds[0], one, 0, length, at), readSync(fds[1], two, 0, length, at)];
      if (read.some((count) => count !== length) || !one.equals(two)) return false;
    }
    return true;
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}
