/**
 * What can go wrong with a database file, as problems that an operator can act on.
 *
 * @module
 */
import { SQLiteError } from 'bun:sqlite';
import { type Problem, type ProblemCode, problem } from '../../model/problem.ts';

/** Why an operation on the database did not happen. */
export interface StoreFailure {
  /** Another process holds a lock or replaced the file just now: worth another attempt within milliseconds. */
  readonly busy: boolean;
  readonly problem: Problem;
}

/** Thrown within the layer if the path no longer names the open file. */
export class MovedError extends Error {
  constructor() {
    super('it was moved or replaced while it was open');
  }
}

/** Thrown within the layer if the file is a database that this version must not touch. */
export class RefusedError extends Error {
  readonly code: ProblemCode;
  readonly remedy: string | undefined;

  constructor(code: ProblemCode, message: string, remedy?: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

/** Primary result codes, `sqlite3.h`. */
const SQLITE_ERROR = 1;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** BUSY, LOCKED, and PROTOCOL, which is a lost race for the locks of the write-ahead log. */
const BUSY_CODES = [5, 6, 15];
const FULL_CODES = ['SQLITE_FULL', 'ENOSPC', 'EDQUOT', 'EFBIG'];
const FULL_REMEDY = 'Make room on the disk of the lease store; the data plane keeps working meanwhile';

/** The failure that an exception of `bun:sqlite` or `node:fs` stands for. */
export function failureOf(error: unknown, path: string): StoreFailure {
  const said = error instanceof Error ? error.message : String(error);
  if (error instanceof RefusedError) {
    return { busy: false, problem: problem(error.code, `Lease database '${path}' ${said}`, error.remedy) };
  }
  if (error instanceof MovedError) {
    return { busy: true, problem: problem('store-unavailable', `Lease database '${path}': ${said}`) };
  }
  if (!(error instanceof SQLiteError))
    return { busy: false, problem: unavailable(path, said, errnoName(error)) };
  const name = error.code ?? `result ${error.errno}`;
  const text = `${name}: ${said}`;
  const code = error.errno & 0xff;
  if (BUSY_CODES.includes(code)) {
    const message = `Lease database '${path}' is locked by another process (${text})`;
    return { busy: true, problem: problem('store-unavailable', message) };
  }
  // A statement that does not compile means that our tables are not there.
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB || code === SQLITE_ERROR) {
    return {
      busy: false,
      problem: problem('store-corrupt', `Lease database '${path}' is damaged (${text})`),
    };
  }
  return { busy: false, problem: unavailable(path, text, name) };
}

/** The name of a system error, such as `EACCES`, if that is what it is. */
export function errnoName(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function unavailable(path: string, text: string, code: string | undefined): Problem {
  const message = `Cannot use the lease database '${path}': ${text}`;
  const isFull = code !== undefined && FULL_CODES.some((full) => code.startsWith(full));
  return isFull ? problem('store-unavailable', message, FULL_REMEDY) : problem('store-unavailable', message);
}
