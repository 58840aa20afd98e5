/**
 * What was installed for the container runtime, so that it is known again when it is taken back: a small file in the
 * state directory, written before what it tells of.
 *
 * @module
 */
import { mkdirSync, readFileSync, type Stats } from 'node:fs';
import * as v from 'valibot';
import { writeAtomically } from '../write-file.ts';

/** By path: of a conflist the SHA-256 of its text, of a program what {@link identityOf} says. */
export interface InstallRecord {
  readonly conflists: Readonly<Record<string, string>>;
  readonly programs: Readonly<Record<string, string>>;
}

const EMPTY: InstallRecord = { conflists: {}, programs: {} };

const pathSchema = v.pipe(v.string(), v.startsWith('/'));
const recordSchema = v.object({
  version: v.literal(1),
  conflists: v.record(pathSchema, v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  programs: v.record(pathSchema, v.pipe(v.string(), v.regex(/^\d+ \d+$/))),
});

/** What a file is known by that nobody writes in place: its size and when it was written. */
export function identityOf({ size, mtimeMs }: Pick<Stats, 'size' | 'mtimeMs'>): string {
  return `${size} ${Math.trunc(mtimeMs)}`;
}

/** Reads what is written down; what cannot be read is as if it had not been. */
export function readRecord(stateDir: string): InstallRecord {
  try {
    const value: unknown = JSON.parse(readFileSync(recordFileOf(stateDir), 'utf8'));
    const parsed = v.safeParse(recordSchema, value);
    if (!parsed.success) return EMPTY;
    const { conflists, programs } = parsed.output;
    return { conflists, programs };
  } catch {
    return EMPTY;
  }
}

/** Adds to what is written down, and gives back all of it. Throws what the file system says. */
export function remember(stateDir: string, added: Partial<InstallRecord>): InstallRecord {
  const before = readRecord(stateDir);
  const record = {
    conflists: { ...before.conflists, ...added.conflists },
    programs: { ...before.programs, ...added.programs },
  };
  if (JSON.stringify(before) === JSON.stringify(record)) return record;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const text = `${JSON.stringify({ version: 1, ...record })}\n`;
  writeAtomically(recordFileOf(stateDir), { text, mode: 0o600 });
  return record;
}

function recordFileOf(stateDir: string): string {
  return `${stateDir}/cni.json`;
}
