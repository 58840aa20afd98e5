/**
 * Files and kernel settings, read and written whole.
 *
 * @module
 */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describe, type FileObject, type SysctlObject } from '../model/objects.ts';
import type { Failure } from '../reconcile/target.ts';

/** The file as it is, or `undefined` if it is not there or cannot be read. */
export function readFile({ path, mode }: FileObject): FileObject | undefined {
  const text = readText(path);
  return text === undefined ? undefined : { kind: 'file', path, text, mode };
}

/**
 * Writes the file atomically: a reader sees the old text or the new, a power cut leaves one of them. A file that
 * was there keeps its permission bits, as flannel leaves them.
 */
export function writeFile(file: FileObject): Failure | undefined {
  const { path, text, mode } = file;
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(fd, text);
      fchmodSync(fd, modeOf(path) ?? mode);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    return undefined;
  } catch (error) {
    removeQuietly(temporary);
    return unwritable(`Cannot write ${path}`, error);
  }
}

/** The setting as it is. An optional one that does not exist or cannot be set here reads as wanted. */
export function readSysctl(sysctl: SysctlObject, root: string): SysctlObject | undefined {
  const path = `${root}/${sysctl.name}`;
  if (sysctl.optional && !isWritable(path)) return sysctl;
  const text = readText(path);
  return text === undefined ? undefined : { ...sysctl, value: text.trim() };
}

/** Sets a kernel setting. */
export function writeSysctl(sysctl: SysctlObject, root: string): Failure | undefined {
  try {
    const fd = openSync(`${root}/${sysctl.name}`, 'w');
    try {
      writeSync(fd, sysctl.value);
    } finally {
      closeSync(fd);
    }
    return undefined;
  } catch (error) {
    return unwritable(`Cannot set ${describe(sysctl)}`, error);
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The reason why it could not be written is the one to tell.
  }
}

function modeOf(path: string): number | undefined {
  try {
    return statSync(path).mode & 0o777;
  } catch {
    return undefined;
  }
}

function unwritable(what: string, error: unknown): Failure {
  return {
    kind: 'unwritable',
    message: `${what}: ${error instanceof Error ? error.message : String(error)}`,
  };
}
