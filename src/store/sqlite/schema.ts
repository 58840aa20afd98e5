/**
 * The tables, and the settings of a connection.
 *
 * Every statement of the program names its columns, so a later version can add some; `user_version` then says
 * so, and an older agent leaves the file alone.
 *
 * @module
 */
import { type Database, SQLiteError } from 'bun:sqlite';
import { RefusedError } from './failure.ts';
import { CREATED_MAX } from './lease-row.ts';

/** `PRAGMA user_version` of the tables below. */
export const SCHEMA_VERSION = 1;

/** `PRAGMA application_id`: "flte" in ASCII, by which `file` and we know our own. */
const APPLICATION_ID = 0x66_6c_74_65;

/** How long SQLite itself may wait for a lock, which blocks the event loop. */
const BUSY_TIMEOUT_MS = 100;

/** How many {@link PLACE_TRIGGERS} there are. */
const TRIGGER_COUNT = 3;

const FOREIGN_REMEDY = 'Name another file with --lease-db';

/** The MAC that attributes name for one family, if they are JSON. */
function macOf(row: 'old' | 'new', data: 'BackendData' | 'BackendV6Data'): string {
  return `CASE WHEN json_valid(${row}.attributes) THEN json_extract(${row}.attributes, '$.${data}.VtepMAC') END`;
}

/** Whether the row gets something to claim that it did not have. */
function isGained(text: (row: 'old' | 'new') => string): string {
  return `(${text('new')} IS NOT NULL AND ${text('new')} IS NOT ${text('old')})`;
}

/** Puts the row behind all others, if it is not there already. */
const TO_THE_END = `BEGIN
    UPDATE lease SET created = (SELECT max(created) + 1 FROM lease WHERE created < ${CREATED_MAX})
    WHERE node = new.node;
  END;`;

const IS_BEFORE_ANOTHER = `EXISTS (
    SELECT 1 FROM lease WHERE created > new.created AND created < ${CREATED_MAX})`;

/**
 * Whoever writes a row, with whatever program: what it claims anew, a subnet or a MAC, it claims as the last. So
 * nobody who held it before loses it. These came after the tables: a database without them works too, and an
 * older program that meets them need not know.
 */
const PLACE_TRIGGERS = `
CREATE TRIGGER IF NOT EXISTS lease_made AFTER INSERT ON lease
  WHEN new.created NOT BETWEEN 1 AND ${CREATED_MAX - 1} OR ${IS_BEFORE_ANOTHER} ${TO_THE_END}
CREATE TRIGGER IF NOT EXISTS lease_moved AFTER UPDATE OF subnet, subnet6 ON lease
  WHEN (${isGained((row) => `${row}.subnet`)} OR ${isGained((row) => `${row}.subnet6`)})
    AND ${IS_BEFORE_ANOTHER} ${TO_THE_END}
CREATE TRIGGER IF NOT EXISTS lease_told AFTER UPDATE OF attributes ON lease
  WHEN (${isGained((row) => macOf(row, 'BackendData'))} OR ${isGained((row) => macOf(row, 'BackendV6Data'))})
    AND ${IS_BEFORE_ANOTHER} ${TO_THE_END}`;

/**
 * `state` has one row: `generation` tells this file from one made after it was deleted, `revision` counts
 * transactions, `purged` is the highest revision of a tombstone that was thrown away.
 *
 * `lease` keeps a row per node. `created` counts leases, so that a scan of the table meets them in the order in
 * which they were made; `revision` is that of the transaction that last changed the row. A lease that another
 * node took over after its expiry stays as a tombstone, with `removed_ms` and no subnets, until readers have seen
 * it. `pid` and `boot_id` are those of the process that last wrote the row.
 */
const TABLES = `
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  generation TEXT NOT NULL,
  revision INTEGER NOT NULL,
  purged INTEGER NOT NULL
) STRICT;
CREATE TABLE lease (
  created INTEGER PRIMARY KEY,
  node TEXT NOT NULL UNIQUE,
  subnet TEXT UNIQUE,
  subnet6 TEXT UNIQUE,
  attributes TEXT NOT NULL,
  expires_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  removed_ms INTEGER,
  pid INTEGER NOT NULL,
  boot_id TEXT NOT NULL
) STRICT;
CREATE INDEX lease_revision ON lease (revision);
CREATE INDEX lease_expiry ON lease (expires_ms);
CREATE INDEX lease_removed ON lease (removed_ms) WHERE removed_ms IS NOT NULL;
INSERT INTO state (id, generation, revision, purged) VALUES (1, lower(hex(randomblob(16))), 0, 0);
${PLACE_TRIGGERS}
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** What a connection may do. */
export type Access = 'read' | 'write';

/**
 * Sets a new connection up, and makes the tables if the file is empty and it may.
 *
 * @throws RefusedError if the file is not ours to use, SQLiteError
 */
export function prepareConnection(db: Database, access: Access = 'write'): void {
  db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  // In one transaction: between two reads another agent may make the tables, and they would seem a stranger's.
  const isEmpty = within(db, 'BEGIN', () => checkVersion(db)) === 0;
  if (pragma(db, 'journal_mode = WAL') !== 'wal') {
    throw new RefusedError('store-unavailable', 'is on a file system without shared memory (no WAL)');
  }
  // 256 KiB of pages is what a look-up needs; a full read of 5,000 leases passes through it.
  db.run('PRAGMA cache_size = -256');
  // Moves the log back into the file every MiB, and keeps the log at that size.
  db.run('PRAGMA wal_autocheckpoint = 256');
  db.run('PRAGMA journal_size_limit = 1048576');
  db.run('PRAGMA synchronous = NORMAL');
  db.run('PRAGMA trusted_schema = OFF');
  if (access === 'read') return;
  if (isEmpty) createTables(db);
  else addTriggers(db);
}

/** To a database that an earlier version has made. One that cannot be written just now is used as it is. */
function addTriggers(db: Database): void {
  const count = first(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'lease'");
  if (Number(count) >= TRIGGER_COUNT) return;
  try {
    within(db, 'BEGIN IMMEDIATE', () => db.run(PLACE_TRIGGERS));
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error;
  }
}

/** Reads nothing but the header, and writes nothing. */
function checkVersion(db: Database): number {
  const version = Number(pragma(db, 'user_version'));
  const application = Number(pragma(db, 'application_id'));
  const isForeign =
    version === 0
      ? first(db, 'SELECT 1 FROM sqlite_schema LIMIT 1') !== undefined
      : application !== APPLICATION_ID;
  if (isForeign) throw new RefusedError('store-corrupt', 'belongs to another program', FOREIGN_REMEDY);
  if (version > SCHEMA_VERSION) {
    const message = `has version ${version}, this program knows up to ${SCHEMA_VERSION}`;
    throw new RefusedError('store-version', message);
  }
  return version;
}

function createTables(db: Database): void {
  within(db, 'BEGIN IMMEDIATE', () => {
    // Another process may have been faster.
    if (checkVersion(db) === 0) db.run(TABLES);
  });
}

function within<T>(db: Database, begin: 'BEGIN' | 'BEGIN IMMEDIATE', fn: () => T): T {
  db.run(begin);
  try {
    const result = fn();
    db.run('COMMIT');
    return result;
  } catch (error) {
    if (db.inTransaction) db.run('ROLLBACK');
    throw error;
  }
}

function pragma(db: Database, text: string): unknown {
  return first(db, `PRAGMA ${text}`);
}

/** The first column of the first row. The statement is given back at once: `db.query` would keep it. */
function first(db: Database, sql: string): unknown {
  const statement = db.prepare(sql);
  try {
    return statement.values()[0]?.[0];
  } finally {
    statement.finalize();
  }
}
