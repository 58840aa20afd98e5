/**
 * Does one step of the installation. Nothing is ever written in place: a plugin may be running, and a container
 * runtime may be reading.
 *
 * @module
 */
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { chmod, copyFile, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ASIDE_SUFFIX } from '../model/plugin-names.ts';
import { digestOf } from '../store/state-file.ts';
import { writeAtomically } from '../write-file.ts';
import { PROGRAM_NAME } from './conflist.ts';
import { OWN_EXECUTABLE, type OwnProgram } from './own-program.ts';
import type { InstallStep } from './plan.ts';
import { type InstallRecord, identityOf } from './record.ts';

/** What a step is done with. */
export interface Tools {
  readonly program: OwnProgram;
  /** Writes down what is about to be installed. */
  readonly remember: (added: Partial<InstallRecord>) => void;
}

/** What stands beside a path while its next content is made. One name, so that one of a killed process is overwritten. */
export function temporaryOf(path: string): string {
  return `${dirname(path)}/.${path.slice(path.lastIndexOf('/') + 1)}.flannelette.tmp`;
}

/** Does the step. Throws what the file system says; nothing is left behind then. */
export async function performStep(step: InstallStep, { program, remember }: Tools): Promise<void> {
  const { path } = step;
  const temporary = temporaryOf(path);
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  try {
    rmSync(temporary, { force: true });
    switch (step.kind) {
      case 'program':
        await place(program, temporary);
        remember({ programs: { [path]: identityOf(statSync(temporary)) } });
        renameSync(temporary, path);
        return;
      case 'link':
        symlinkSync(PROGRAM_NAME, temporary);
        if (step.aside) setAside(path);
        renameSync(temporary, path);
        return;
      case 'conflist':
        if (step.aside) setAside(path);
        remember({ conflists: { [path]: digestOf(step.text) } });
        writeAtomically(path, { text: step.text, mode: 0o644 });
        return;
    }
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** The program under another name: a second name of its file where that is possible, so that memory holds it once. */
async function place(program: OwnProgram, path: string): Promise<void> {
  if (!isLinked(program, path)) {
    checkRoom(dirname(path), statSync(OWN_EXECUTABLE).size);
    checkExecutable(path);
    await copyFile(OWN_EXECUTABLE, path, constants.COPYFILE_FICLONE);
    await chmod(path, 0o755);
    const file = await open(path, 'r');
    await file.sync();
    await file.close();
  }
}

/** Before much is written in vain, again and again. */
function checkRoom(directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  const megabytes = (count: number) => `${Math.ceil(count / 1e6)} MB`;
  if (bavail * bsize >= bytes) return;
  throw new Error(`ENOSPC: ${megabytes(bytes)} are needed, ${megabytes(bavail * bsize)} are free`);
}

/** On a file system that is mounted `noexec` nothing may be executed, whatever its mode (access(2)). */
function checkExecutable(path: string): void {
  closeSync(openSync(path, 'wx', 0o755));
  chmodSync(path, 0o755);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(`no program may be executed in ${dirname(path)} (mounted noexec?)`);
  }
}

/** By a path it may be another file by now, or none, or one of another file system. */
function isLinked(program: OwnProgram, path: string): boolean {
  try {
    linkSync(program.path, path);
    if (program.isAt(path)) return true;
  } catch {
    return false;
  }
  rmSync(path, { force: true });
  return false;
}

/** Keeps what is at a path under another name. It stays until it is replaced: no call of it falls into a gap. */
function setAside(path: string): void {
  const [aside, temporary] = [`${path}${ASIDE_SUFFIX}`, `${temporaryOf(path)}.aside`];
  try {
    rmSync(temporary, { force: true });
    linkSync(path, temporary);
    renameSync(temporary, aside);
  } catch {
    renameSync(path, aside);
  } finally {
    rmSync(temporary, { force: true });
  }
}
