/**
 * Keeps a lease book up to date with the database: everything at first, then what is newer than was seen.
 *
 * @module
 */
import type { LeaseBook } from '../lease-book.ts';
import type { ExpiryTracker } from './expiry.ts';
import type { LeaseDatabase } from './lease-database.ts';
import { type LeaseRow, rawLease } from './lease-row.ts';

/** What a reading found. */
export interface Reading {
  /** Whether the database is another one than before, made in its place. */
  readonly isRecreated: boolean;
  /** The own node's row: `none` if there is none, `unread` if it has not changed. */
  readonly own: LeaseRow | 'none' | 'unread';
  /** The earliest expiry among the rows that were read, in milliseconds since the epoch. */
  readonly expiresMsMin: number;
}

/** What a reader is made of. */
export interface LeaseReaderOptions {
  readonly node: string;
  readonly book: LeaseBook;
  readonly expiry: ExpiryTracker;
}

/** A reader's place in the database. */
export class LeaseReader {
  readonly #node: string;
  readonly #book: LeaseBook;
  readonly #expiry: ExpiryTracker;
  /** Peers out of a database that is gone, who have not come back yet. */
  readonly #orphans = new Set<string>();
  #generation: string | undefined;
  #revision = 0;
  /** The connection of the last complete reading, and its `PRAGMA data_version` then. */
  #complete: { readonly database: LeaseDatabase; readonly version: number } | undefined;

  constructor({ node, book, expiry }: LeaseReaderOptions) {
    this.#node = node;
    this.#book = book;
    this.#expiry = expiry;
  }

  /** Reads what is newer than the last reading, or everything if that cannot be told. */
  read(database: LeaseDatabase): Reading {
    const { generation, revision, purged } = database.state();
    const isKnown = generation === this.#generation && purged <= this.#revision && this.#revision <= revision;
    if (!isKnown) return this.#readAll(database);
    // Rows may be newer than `revision` by now: those are read once more next time.
    const rows = revision === this.#revision ? [] : database.rowsSince(this.#revision);
    const own = rows.find((row) => row.node === this.#node);
    const expiresMsMin = this.#enter(rows);
    this.#revision = revision;
    return { isRecreated: false, own: own ?? 'unread', expiresMsMin };
  }

  /** Reads everything if anybody has committed since the last complete reading, whatever it was. */
  readComplete(database: LeaseDatabase): Reading {
    const last = this.#complete;
    const isUnchanged = last?.database === database && last.version === database.dataVersion();
    return isUnchanged ? this.read(database) : this.#readAll(database);
  }

  /** Takes those out of the book whose leases have been expired for long enough. */
  dropGone(): void {
    for (const node of this.#expiry.gone()) {
      this.#book.remove(node);
      if (this.#orphans.delete(node)) this.#expiry.delete(node);
    }
  }

  #readAll(database: LeaseDatabase): Reading {
    const version = database.dataVersion();
    const { generation, revision } = database.state();
    const isRecreated = this.#generation !== undefined && this.#generation !== generation;
    const rows = database.allRows();
    const expiresMsMin = this.#enter(rows);
    this.#leaveOut(rows, isRecreated);
    this.#generation = generation;
    this.#revision = revision;
    this.#complete = { database, version };
    const own = rows.find((row) => row.node === this.#node);
    return { isRecreated, own: own ?? 'none', expiresMsMin };
  }

  /** Enters rows into the book. Nobody's expiry gives infinity. */
  #enter(rows: readonly LeaseRow[]): number {
    let expiresMsMin = Number.POSITIVE_INFINITY;
    for (const row of rows) {
      if (row.node === this.#node) continue;
      this.#orphans.delete(row.node);
      if (row.isRemoved) {
        this.#expiry.delete(row.node);
        this.#book.remove(row.node);
        continue;
      }
      this.#expiry.set(row.node, row.expiresMs);
      expiresMsMin = Math.min(expiresMsMin, row.expiresMs);
      if (this.#expiry.isGone(row.node)) this.#book.remove(row.node);
      else this.#book.put(rawLease(row));
    }
    return expiresMsMin;
  }

  /**
   * Takes those out of the book who have no row. If the database was made anew, its agents are about to come
   * back with the subnets that they had: until their grace ends they stay, behind all who are there.
   */
  #leaveOut(rows: readonly LeaseRow[], isRecreated: boolean): void {
    const present = new Set(rows.map((row) => row.node));
    for (const node of [...this.#book.nodes()]) {
      if (present.has(node) || this.#orphans.has(node)) continue;
      if (isRecreated) {
        this.#orphans.add(node);
        this.#expiry.expire(node);
        this.#book.demote(node);
      } else {
        this.#expiry.delete(node);
        this.#book.remove(node);
      }
    }
  }
}
