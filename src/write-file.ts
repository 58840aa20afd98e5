/**
 * Writing a small file so that a reader sees the old text or the new, and a power cut leaves one of them.
 *
 * @module
 */
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';

/** What is to be in the file. */
export interface FileContent {
  readonly text: string;
  /** Permission bits, whatever the umask. */
  readonly mode: number;
}

/** Writes beside the file, syncs and renames. Throws what the file system says; nothing is left behind. */
export function writeAtomically(path: string, { text, mode }: FileContent): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      writeAll(fd, text);
      fchmodSync(fd, mode);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
}

/** One write may take only part of it. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // The reason why it could not be written is the one to tell.
  }
}
