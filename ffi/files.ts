/**
 * Files by the C library itself, for a process that lives for milliseconds: loading `node:fs` takes one of them. What
 * can fail gives back `-errno`.
 *
 * @module
 */
import { addressOf, bindings, checked } from './libc.ts';

const files = bindings({
  open: { args: ['ptr', 'i32', 'u32'], returns: 'i32' },
  read: { args: ['i32', 'ptr', 'u64'], returns: 'i32' },
  write: { args: ['i32', 'ptr', 'u64'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
  mkdir: { args: ['ptr', 'u32'], returns: 'i32' },
  rename: { args: ['ptr', 'ptr'], returns: 'i32' },
  unlink: { args: ['ptr'], returns: 'i32' },
  access: { args: ['ptr', 'i32'], returns: 'i32' },
  statfs: { args: ['ptr', 'ptr'], returns: 'i32' },
  statx: { args: ['i32', 'ptr', 'i32', 'u32', 'ptr'], returns: 'i32' },
  getdents64: { args: ['i32', 'ptr', 'u64'], returns: 'i32' },
});

/** `asm-generic/fcntl.h`; the same numbers on x64 and arm64. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
} as const;

const ENOENT = 2;
const EINTR = 4;
const EEXIST = 17;
const EFBIG = 27;
const EINVAL = 22;

/** linux/fcntl.h */
const AT_FDCWD = -100;
/** linux/stat.h, `struct statx`: its size, and where the inode and the device's numbers stand. */
const STATX_BYTES = 256;
const STATX_INO = 0x100;
const [INO_AT, MAJOR_AT, MINOR_AT] = [0x20, 0x88, 0x8c];
/** asm-generic/statfs.h, `struct statfs`, with room to spare. */
const STATFS_BYTES = 256;
/** linux/dirent.h, `struct linux_dirent64`: where the record's length and the name stand. */
const [RECORD_LENGTH_AT, NAME_AT] = [16, 19];
/** A file of an address, of a setting or of subnet.env has a few bytes. */
const FILE_BYTES_MAX = 64 * 1024;
/** unistd.h */
const F_OK = 0;
const X_OK = 1;

const utf8 = new TextEncoder();
const utf8Decoder = new TextDecoder();
/** What is read at first; a configuration or an address fits. */
const room = new Uint8Array(4096);

/** A path for C. One with a NUL in it would be another for the kernel. */
function path(text: string): Uint8Array | undefined {
  return text.includes('\0') ? undefined : utf8.encode(`${text}\0`);
}

/**
 * Opens a file, never across `exec`.
 *
 * @returns a descriptor, or `-errno`
 */
export function openFile(name: string, flags: number, mode = 0): number {
  const bytes = path(name);
  if (bytes === undefined) return -EINVAL;
  return checked(files.open(addressOf(bytes), flags | O.CLOEXEC, mode));
}

/** Closes a descriptor. */
export function closeFile(fd: number): void {
  files.close(fd);
}

/**
 * Reads a descriptor to its end as UTF-8.
 *
 * @returns the text, or `-errno`: `-EFBIG` (-27) if there is more than `bytesMax`
 */
export function readAll(fd: number, bytesMax: number): string | number {
  let buffer = room;
  for (let length = 0; ; ) {
    const size = checked(files.read(fd, addressOf(buffer.subarray(length)), buffer.length - length));
    if (size === -EINTR) continue;
    if (size < 0) return size;
    if (size === 0) return utf8Decoder.decode(buffer.subarray(0, length));
    length += size;
    if (length > bytesMax) return -EFBIG;
    if (length < buffer.length) continue;
    const larger = new Uint8Array(buffer.length * 4);
    larger.set(buffer);
    buffer = larger;
  }
}

/** Reads a whole file of at most 64 KiB as UTF-8, or gives back `-errno`. */
export function readFile(name: string): string | number {
  const fd = openFile(name, O.RDONLY);
  if (fd < 0) return fd;
  const text = readAll(fd, FILE_BYTES_MAX);
  closeFile(fd);
  return text;
}

/** Writes all of a text to a descriptor: 0, or `-errno`. */
export function writeAll(fd: number, text: string): number {
  let rest = utf8.encode(text);
  while (rest.length > 0) {
    const size = checked(files.write(fd, addressOf(rest), rest.length));
    if (size < 0 && size !== -EINTR) return size;
    rest = rest.subarray(Math.max(size, 0));
  }
  return 0;
}

/** What {@link writeFile} writes. */
export interface WriteOptions {
  readonly text: string;
  /** O_* besides WRONLY; none for a file that must be there, as those of /proc/sys are. */
  readonly flags?: number;
  /** Permission bits of a file that is made. */
  readonly mode?: number;
}

/** Writes a file in place: 0, or `-errno`. */
export function writeFile(name: string, { text, flags = 0, mode = 0 }: WriteOptions): number {
  const fd = openFile(name, O.WRONLY | flags, mode);
  if (fd < 0) return fd;
  const result = writeAll(fd, text);
  closeFile(fd);
  return result;
}

/** Makes a folder and those above it, whatever of them is there: 0, or `-errno`. */
export function makeFolder(name: string, mode: number): number {
  const bytes = path(name);
  if (bytes === undefined) return -EINVAL;
  const make = () => {
    const result = checked(files.mkdir(addressOf(bytes), mode));
    // Others may make the same folder at the same time.
    return result === -EEXIST ? 0 : result;
  };
  const result = make();
  const slash = name.lastIndexOf('/');
  if (result !== -ENOENT || slash <= 0) return result;
  const above = makeFolder(name.slice(0, slash), mode);
  return above < 0 ? above : make();
}

/** Removes a file, if it is there: 0, or `-errno`. */
export function removeFile(name: string): number {
  const bytes = path(name);
  if (bytes === undefined) return -EINVAL;
  const result = checked(files.unlink(addressOf(bytes)));
  return result === -ENOENT ? 0 : result;
}

/** Renames a file over another: 0, or `-errno`. */
export function renameFile(from: string, to: string): number {
  const [a, b] = [path(from), path(to)];
  return a === undefined || b === undefined ? -EINVAL : checked(files.rename(addressOf(a), addressOf(b)));
}

/** The names in a folder without `.` and `..`, or `-errno`. */
export function listFolder(name: string): string[] | number {
  const fd = openFile(name, O.RDONLY | O.NONBLOCK);
  if (fd < 0) return fd;
  const names: string[] = [];
  const view = new DataView(room.buffer);
  for (;;) {
    const size = checked(files.getdents64(fd, addressOf(room), room.length));
    for (let at = 0; at < size; at += view.getUint16(at + RECORD_LENGTH_AT, true)) {
      const start = at + NAME_AT;
      const entry = utf8Decoder.decode(room.subarray(start, room.indexOf(0, start)));
      if (entry !== '.' && entry !== '..') names.push(entry);
    }
    if (size > 0) continue;
    closeFile(fd);
    return size < 0 ? size : names;
  }
}

/** Whether this process may execute a file. */
export function isExecutable(name: string): boolean {
  return mayAccess(name, X_OK);
}

/** Whether there is a file or folder of this name. */
export function isThere(name: string): boolean {
  return mayAccess(name, F_OK);
}

function mayAccess(name: string, mode: number): boolean {
  const bytes = path(name);
  return bytes !== undefined && files.access(addressOf(bytes), mode) === 0;
}

/** The magic number of the file system that a path is on (`linux/magic.h`), or `-errno`. */
export function fileSystemOf(name: string): number {
  const bytes = path(name);
  if (bytes === undefined) return -EINVAL;
  const status = new Uint8Array(STATFS_BYTES);
  const result = checked(files.statfs(addressOf(bytes), addressOf(status)));
  return result < 0 ? result : new DataView(status.buffer).getUint32(0, true);
}

/** What tells a file from any other. */
export interface FileIdentity {
  /** Major and minor number. */
  readonly device: string;
  readonly inode: number;
}

/** What tells a file from any other; `undefined` if it cannot be looked at. */
export function identityOf(name: string): FileIdentity | undefined {
  const bytes = path(name);
  if (bytes === undefined) return undefined;
  const status = new Uint8Array(STATX_BYTES);
  if (files.statx(AT_FDCWD, addressOf(bytes), 0, STATX_INO, addressOf(status)) < 0) return undefined;
  const view = new DataView(status.buffer);
  const device = `${view.getUint32(MAJOR_AT, true)}:${view.getUint32(MINOR_AT, true)}`;
  return { device, inode: Number(view.getBigUint64(INO_AT, true)) };
}
