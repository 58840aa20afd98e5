/**
 * An open lease database: its statements, and transactions that count.
 *
 * Everything here is synchronous and throws; `DatabaseHandle` turns that into results.
 *
 * @module
 */
import { constants, Database, type SQLQueryBindings, type Statement } from 'bun:sqlite';
import { statSync } from 'node:fs';
import { type Prefix, parsePrefix } from '../../model/ip.ts';
import { LIFETIME_MS, SLACK_MS } from './expiry.ts';
import { MovedError, RefusedError } from './failure.ts';
import {
  type Columns,
  CREATED_MAX,
  type LeaseRow,
  NODE,
  PEER_SELECTION,
  type PeerRow,
  ROW_COLUMNS,
  ROW_SELECTION,
  readPeerRow,
  readRow,
} from './lease-row.ts';
import { type Access, prepareConnection } from './schema.ts';

/** Where the database stands. */
export interface DatabaseState {
  /** Differs between a file and one that was made in its place. */
  readonly generation: string;
  /** Grows with every transaction that changes leases. */
  readonly revision: number;
  /** The highest revision of a removal that is forgotten: who has read less has to read everything. */
  readonly purged: number;
}

/** When a node's lease runs out. */
export interface Expiry {
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly expiresMs: number;
}

/** What another node's row keeps from everybody else. */
export interface SubnetHolder extends Expiry {
  readonly ipv4: Prefix | undefined;
  readonly ipv6: Prefix | undefined;
}

/** How long a removal stays readable for those who read what is newer than they know. */
const TOMBSTONE_MS = 3_600_000;

/** One connection to the lease database. */
export class LeaseDatabase {
  readonly #path: string;
  readonly #db: Database;
  readonly #inode: string;
  readonly #statements = new Map<string, Statement<Columns, SQLQueryBindings[]>>();

  private constructor(path: string, db: Database, inode: string) {
    this.#path = path;
    this.#db = db;
    this.#inode = inode;
  }

  /** Opens a database that exists; one that is opened to `read` stays as it is. */
  static open(path: string, access: Access = 'write'): LeaseDatabase {
    const inode = inodeOf(path);
    const db = new Database(
      path,
      access === 'write' ? { readwrite: true, create: false } : { readonly: true },
    );
    try {
      // The log is never deleted, so nobody can delete that of a database made in this one's place.
      db.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1);
      prepareConnection(db, access);
      const lease = new LeaseDatabase(path, db, inode);
      lease.checkPlace();
      return lease;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Throws a `MovedError` if the path now names another file than the one that is open, or none. */
  checkPlace(): void {
    if (inodeOf(this.#path) !== this.#inode) throw new MovedError();
  }

  /** Grows whenever another connection has committed, by whatever means. */
  dataVersion(): number {
    return Number(this.#values('PRAGMA data_version')[0]?.[0]);
  }

  /** Where the database stands now. */
  state(): DatabaseState {
    const [row] = this.#values('SELECT generation, revision, purged FROM state WHERE id = 1');
    if (row === undefined) throw new RefusedError('store-corrupt', 'has lost its state row');
    return { generation: String(row[0]), revision: Number(row[1]), purged: Number(row[2]) };
  }

  /** The rows that were changed after a revision, removals too, in the order in which they were changed. */
  rowsSince(revision: number): Generator<PeerRow, void> {
    return this.#rows(`SELECT ${PEER_SELECTION} FROM lease WHERE revision > ? ORDER BY revision`, revision);
  }

  /** All rows, removals too, in the order in which the leases were made. */
  allRows(): Generator<PeerRow, void> {
    return this.#rows(`SELECT ${PEER_SELECTION} FROM lease ORDER BY created`);
  }

  /** One node's row. */
  row(node: string): LeaseRow | undefined {
    const columns = this.#statement(`SELECT ${ROW_SELECTION} FROM lease WHERE node = ?`).get(node);
    return columns === null ? undefined : readRow(columns);
  }

  /**
   * Who has expired, or would last for an implausibly long time, and in how many milliseconds the first of all
   * others expires.
   */
  expiries(nowMs: number): { readonly suspects: readonly Expiry[]; readonly aliveMs: number | undefined } {
    const limitMs = nowMs + LIFETIME_MS + SLACK_MS;
    const sql = `SELECT ${NODE}, expires_ms FROM lease
      WHERE removed_ms IS NULL AND (expires_ms <= ? OR expires_ms > ?)`;
    const suspects = this.#values(sql, nowMs, limitMs).map(([node, expiresMs]) => ({
      node: String(node),
      expiresMs: Number(expiresMs),
    }));
    const [row] = this.#values('SELECT min(expires_ms) FROM lease WHERE expires_ms > ?', nowMs);
    return { suspects, aliveMs: typeof row?.[0] === 'number' ? row[0] - nowMs : undefined };
  }

  /** Who holds which subnets until when, the own node and removals left out, the earliest expiry first. */
  holdersBeside(node: string): SubnetHolder[] {
    const sql = `SELECT node, subnet, subnet6, expires_ms FROM lease
      WHERE node <> ? AND coalesce(subnet, subnet6) IS NOT NULL ORDER BY expires_ms`;
    return this.#values(sql, node).map(([holder, subnet, subnet6, expiresMs]) => ({
      node: String(holder),
      ipv4: typeof subnet === 'string' ? parsePrefix(subnet) : undefined,
      ipv6: typeof subnet6 === 'string' ? parsePrefix(subnet6) : undefined,
      expiresMs: Number(expiresMs),
    }));
  }

  /** The place of the next lease in the order in which leases are made. */
  nextCreated(): number {
    const sql = 'SELECT coalesce(max(created), 0) + 1 FROM lease WHERE created < ?';
    return Math.max(1, Number(this.#values(sql, CREATED_MAX)[0]?.[0]));
  }

  /** Writes a node's row whole: from now on it is a lease. */
  write(row: LeaseRow): void {
    this.#run(
      `INSERT INTO lease (${ROW_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?, ?)
       ON CONFLICT (node) DO UPDATE SET created = excluded.created, subnet = excluded.subnet,
         subnet6 = excluded.subnet6, attributes = excluded.attributes, expires_ms = excluded.expires_ms,
         removed_ms = NULL, revision = excluded.revision, pid = excluded.pid, boot_id = excluded.boot_id`,
      row.created,
      row.node,
      row.subnet ?? null,
      row.subnetV6 ?? null,
      row.attributes,
      row.expiresMs,
      row.revision,
      row.pid,
      row.bootId,
    );
  }

  /** Turns a node's row into a removal: its subnets are free. */
  bury(node: string, { revision, nowMs }: { readonly revision: number; readonly nowMs: number }): void {
    this.#run(
      'UPDATE lease SET subnet = NULL, subnet6 = NULL, removed_ms = ?, revision = ? WHERE node = ?',
      nowMs,
      revision,
      node,
    );
  }

  /** Throws away removals of more than an hour ago. */
  purge(nowMs: number): void {
    const limit = nowMs - TOMBSTONE_MS;
    const [row] = this.#values('SELECT max(revision) FROM lease WHERE removed_ms < ?', limit);
    const purged = row?.[0];
    if (typeof purged !== 'number') return;
    this.#run('UPDATE state SET purged = max(purged, ?) WHERE id = 1', purged);
    this.#run('DELETE FROM lease WHERE removed_ms < ?', limit);
  }

  /**
   * Runs `change` alone among all processes, with the revision that its writes get. If it throws, nothing of it
   * has happened.
   *
   * @param durable whether the transaction must survive a loss of power: then it waits for the disk
   */
  transact<T>(durable: boolean, change: (revision: number) => T): T {
    // This pragma works when it is compiled, so a kept statement would do nothing.
    this.#db.run(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`);
    this.#run('BEGIN IMMEDIATE');
    try {
      this.checkPlace();
      const revision = this.state().revision + 1;
      const result = change(revision);
      this.#run('UPDATE state SET revision = ? WHERE id = 1', revision);
      this.#run('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.inTransaction) this.#run('ROLLBACK');
      throw error;
    }
  }

  /** Ends the connection. */
  close(): void {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#statements.clear();
    this.#db.close();
  }

  /** One by one: thousands of rows at once would double the memory of the process. */
  *#rows(sql: string, ...parameters: SQLQueryBindings[]): Generator<PeerRow, void> {
    for (const columns of this.#statement(sql).iterate(...parameters)) {
      const row = readPeerRow(columns);
      if (row !== undefined) yield row;
    }
  }

  #values(sql: string, ...parameters: SQLQueryBindings[]): readonly (readonly unknown[])[] {
    return this.#statement(sql).values(...parameters);
  }

  #run(sql: string, ...parameters: SQLQueryBindings[]): void {
    this.#statement(sql).run(...parameters);
  }

  #statement(sql: string): Statement<Columns, SQLQueryBindings[]> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare<Columns, SQLQueryBindings[]>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** What tells files apart while one of them is open; empty if there is none. */
function inodeOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
}
