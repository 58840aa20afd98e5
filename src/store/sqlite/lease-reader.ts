/**
 * Keeps a lease book up to date with the database: everything at first, then what is newer than was seen.
 *
 * @module
 */
import type { LeaseBook } from '../lease-book.ts';
import type { ExpiryJudge } from './expiry.ts';
import type { LeaseDatabase } from './lease-database.ts';
import { type LeaseRow, type PeerRow, rawLease } from './lease-row.ts';

/** What a reading found of the own node: its row, `none` if there is none, `unread` if it has not changed. */
export type OwnReading = LeaseRow | 'none' | 'unread';

/** What a reader is made of. */
export interface LeaseReaderOptions {
  readonly node: string;
  readonly book: LeaseBook;
  readonly expiry: ExpiryJudge;
}

/** A reader's place in the database. */
export class LeaseReader {
  readonly #node: string;
  readonly #book: LeaseBook;
  readonly #expiry: ExpiryJudge;
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
  read(database: LeaseDatabase): OwnReading {
    const { generation, revision, purged } = database.state();
    const isKnown = generation === this.#generation && purged <= this.#revision && this.#revision <= revision;
    if (!isKnown) return this.#readAll(database);
    if (revision === this.#revision) return 'unread';
    let own: OwnReading = 'unread';
    for (const row of database.rowsSince(this.#revision)) {
      if (row.node === this.#node) own = database.row(row.node) ?? 'none';
      else this.#enter(row);
    }
    // Rows may be newer than that by now: those are read once more next time.
    this.#revision = revision;
    return own;
  }

  /** Reads everything if anybody has committed since the last complete reading, whatever it was. */
  readComplete(database: LeaseDatabase): OwnReading {
    const last = this.#complete;
    const isUnchanged = last?.database === database && last.version === database.dataVersion();
    return isUnchanged ? this.read(database) : this.#readAll(database);
  }

  /**
   * Takes those out of the book whose leases have been expired for long enough.
   *
   * @param nowMs the wall clock
   * @returns milliseconds until it is time to look again, if there is anybody to look for
   */
  dropGone(database: LeaseDatabase, nowMs: number): number | undefined {
    const { suspects, aliveMs } = database.expiries(nowMs);
    for (const { node, expiresMs } of suspects) {
      if (node !== this.#node && this.#expiry.isGone(node, expiresMs)) this.#book.remove(node);
    }
    for (const node of this.#orphans) {
      if (!this.#expiry.isGone(node, ORPHAN_EXPIRES_MS)) continue;
      this.#orphans.delete(node);
      this.#expiry.forget(node);
      this.#book.remove(node);
    }
    const suspectMs = this.#expiry.nextMs();
    return aliveMs === undefined || suspectMs === undefined
      ? (aliveMs ?? suspectMs)
      : Math.min(aliveMs, suspectMs);
  }

  #readAll(database: LeaseDatabase): OwnReading {
    const version = database.dataVersion();
    const { generation, revision } = database.state();
    const isFirst = this.#generation === undefined;
    const present = new Set<string>();
    for (const row of database.allRows()) {
      if (!isFirst) present.add(row.node);
      if (row.node !== this.#node) this.#enter(row);
    }
    if (!isFirst) this.#leaveOut(present, this.#generation !== generation);
    this.#generation = generation;
    this.#revision = revision;
    this.#complete = { database, version };
    return database.row(this.#node) ?? 'none';
  }

  #enter(row: PeerRow): void {
    const { node, isRemoved, expiresMs } = row;
    this.#orphans.delete(node);
    if (isRemoved) this.#expiry.forget(node);
    if (isRemoved || this.#expiry.isGone(node, expiresMs)) this.#book.remove(node);
    else this.#book.put(rawLease(row));
  }

  /**
   * Takes those out of the book who have no row. If the database was made anew, its agents are about to come
   * back with the subnets that they had: until their grace ends they stay, behind all who are there.
   */
  #leaveOut(present: ReadonlySet<string>, isRecreated: boolean): void {
    for (const node of this.#book.nodes()) {
      if (present.has(node) || this.#orphans.has(node)) continue;
      if (isRecreated) {
        this.#orphans.add(node);
        // Asking is looking: the grace period begins.
        this.#expiry.isGone(node, ORPHAN_EXPIRES_MS);
        this.#book.demote(node);
      } else {
        this.#expiry.forget(node);
        this.#book.remove(node);
      }
    }
  }
}

/** The expiry of a lease that is nowhere written any more: long ago. */
const ORPHAN_EXPIRES_MS = 0;
