/**
 * The way to the lease database: opened when it is needed, opened again when it was replaced or had failed,
 * and no exception ever passes.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import type { StoreObserver, StoreOperation } from '../../model/measures.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import { createDatabaseFile } from './create.ts';
import { failureOf, type StoreFailure } from './failure.ts';
import { LeaseDatabase } from './lease-database.ts';

/** What a {@link DatabaseHandle} needs. */
export interface DatabaseHandleOptions {
  readonly path: string;
  readonly log?: (text: string) => void;
  /** In milliseconds. */
  readonly monotonicMs: () => number;
  /** Told of every use when it is over. */
  readonly onUse?: StoreObserver;
}

/** A database path, and the connection to it while there is one. */
export class DatabaseHandle {
  readonly path: string;
  readonly #log: (text: string) => void;
  readonly #monotonicMs: () => number;
  readonly #onUse: StoreObserver;
  #database: LeaseDatabase | undefined;

  constructor({ path, monotonicMs, log = ignore, onUse = ignore }: DatabaseHandleOptions) {
    this.path = path;
    this.#log = log;
    this.#monotonicMs = monotonicMs;
    this.#onUse = onUse;
  }

  /** Whether there is a file at the path. */
  exists(): boolean {
    return existsSync(this.path);
  }

  /**
   * Gives `work` the database, which is made if there is none. What `work` returns is final; what it throws
   * becomes the failure.
   */
  use<T>(operation: StoreOperation, work: (database: LeaseDatabase) => T): Result<T, StoreFailure> {
    const startMs = this.#monotonicMs();
    const result = this.#use(work);
    this.#onUse(operation, this.#monotonicMs() - startMs, result.ok);
    return result;
  }

  #use<T>(work: (database: LeaseDatabase) => T): Result<T, StoreFailure> {
    try {
      return ok(work(this.#open()));
    } catch (error) {
      const failure = failureOf(error, this.path);
      // A lock passes; anything else may be the fault of this connection.
      if (!failure.busy || this.#isMoved()) this.close();
      return fail(failure);
    }
  }

  /** Ends the connection; the next use makes another. */
  close(): void {
    const database = this.#database;
    this.#database = undefined;
    try {
      database?.close();
    } catch (error) {
      this.#log(`Cannot close the lease database: ${String(error)}`);
    }
  }

  #open(): LeaseDatabase {
    if (this.#isMoved()) {
      this.#log(`Lease database '${this.path}' was replaced: opening it again`);
      this.close();
    }
    if (this.#database !== undefined) return this.#database;
    if (createDatabaseFile(this.path)) this.#log(`Made the lease database '${this.path}'`);
    this.#database = LeaseDatabase.open(this.path);
    return this.#database;
  }

  /** Whether a connection is open to a file that the path does not name any more. */
  #isMoved(): boolean {
    try {
      this.#database?.checkPlace();
      return false;
    } catch {
      return true;
    }
  }
}

function ignore(): void {
  // Nobody wants to hear of it.
}
