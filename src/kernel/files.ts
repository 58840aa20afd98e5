/**
 * Files and kernel settings, read and written whole.
 *
 * @module
 */
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describe, type FileObject, type SysctlObject, sysctlName } from '../model/objects.ts';
import type { Failure } from '../reconcile/target.ts';
import { writeAtomically } from '../write-file.ts';
import { ADVICE } from './advice.ts';

/** The file as it is, or `undefined` if it is not there or cannot be read. */
export function readFile({ path, mode }: FileObject): FileObject | undefined {
  const text = readText(path);
  return text === undefined ? undefined : { kind: 'file', path, text, mode };
}

/**
 * Writes the file atomically. One that was there keeps its permission bits, as flannel leaves them.
 */
export function writeFile({ path, text, mode }: FileObject): Failure | undefined {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeAtomically(path, { text, mode: modeOf(path) ?? mode });
    return undefined;
  } catch (error) {
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
    const fd = openSync(`${root}/${sysctl.name}`, constants.O_WRONLY | constants.O_TRUNC);
    try {
      writeSync(fd, sysctl.value);
    } finally {
      closeSync(fd);
    }
    return undefined;
  } catch (error) {
    const setting = `${sysctlName(sysctl.name)}=${sysctl.value}`;
    const remedy = ADVICE.setting.replace('NAME=VALUE', setting);
    const failure = unwritable(`Cannot set ${describe(sysctl)}`, error);
    return isFileLimit(error) ? failure : { ...failure, remedy };
  }
}

/** The text of a file, or `undefined` if it is not there or cannot be read. */
export function readText(path: string): string | undefined {
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

function modeOf(path: string): number | undefined {
  try {
    return statSync(path).mode & 0o777;
  } catch {
    return undefined;
  }
}

/** That has a remedy of its own, whatever was to be opened. */
function isFileLimit(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE');
}

function unwritable(what: string, error: unknown): Failure {
  return {
    kind: 'unwritable',
    message: `${what}: ${error instanceof Error ? error.message : String(error)}`,
  };
}
