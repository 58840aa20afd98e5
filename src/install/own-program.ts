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
      if (!tailOf(path, own.size).equals(tailOf(OWN_EXECUTABLE, own.size))) return false;
      this.#alike.add(mark);
      return true;
    } catch {
      return false;
    }
  }
}

function tailOf(path: string, size: number): Buffer {
  const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
  const fd = openSync(path, 'r');
  try {
    for (let read = 0; read < bytes.length; ) {
      const count = readSync(fd, bytes, read, bytes.length - read, size - bytes.length + read);
      if (count === 0) throw new Error(`${path} ended early`);
      read += count;
    }
    return bytes;
  } finally {
    closeSync(fd);
  }
}
