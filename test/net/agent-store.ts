/**
 * The lease store as any program with SQLite sees and changes it.
 *
 * @module
 */
import { Database } from 'bun:sqlite';
import { closeSync, openSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Family } from '../../src/model/ip.ts';
import type { Lab, LabNode } from './lab.ts';

/** One family of a lease. */
export interface LeasePart {
  /** `10.42.7.0/24`. */
  readonly subnet: string;
  /** `10.42.7.0`. */
  readonly base: string;
  readonly publicIp: string;
  /** Empty without VXLAN. */
  readonly mac: string;
}

/** A row of the lease store. */
export interface LeaseRecord {
  readonly node: string;
  readonly attributes: string;
  readonly parts: ReadonlyMap<Family, LeasePart>;
}

const vtepSchema = v.optional(v.strictObject({ VNI: v.number(), VtepMAC: v.string() }));
const attributesSchema = v.strictObject({
  PublicIP: v.string(),
  PublicIPv6: v.nullable(v.string()),
  BackendType: v.string(),
  BackendData: vtepSchema,
  BackendV6Data: vtepSchema,
});
const rowSchema = v.object({
  node: v.string(),
  subnet: v.nullable(v.string()),
  subnet6: v.nullable(v.string()),
  attributes: v.string(),
});

/** The lease store as any program with SQLite reads it, by the names of the nodes. */
export function readLeases(lab: Lab): LeaseRecord[] {
  using database = open(lab, { readonly: true });
  using query = database.prepare(
    'SELECT node, subnet, subnet6, attributes FROM lease WHERE removed_ms IS NULL ORDER BY node',
  );
  return v.parse(v.array(rowSchema), query.all()).map(({ node, subnet, subnet6, attributes }) => {
    const said = v.parse(attributesSchema, JSON.parse(attributes));
    const parts = new Map<Family, LeasePart>();
    if (subnet !== null) parts.set(4, leasePart(subnet, said.PublicIP, said.BackendData?.VtepMAC));
    if (subnet6 !== null)
      parts.set(6, leasePart(subnet6, said.PublicIPv6 ?? '', said.BackendV6Data?.VtepMAC));
    return { node, attributes, parts };
  });
}

/** The lease of one node. */
export function leaseOf(lab: Lab, node: LabNode): LeaseRecord {
  const lease = readLeases(lab).find((each) => each.node === node.name);
  if (lease === undefined) throw new Error(`No lease of ${node.name}`);
  return lease;
}

/** One family of a lease that has to be there. */
export function partOf(lease: LeaseRecord, family: Family): LeasePart {
  const part = lease.parts.get(family);
  if (part === undefined) throw new Error(`${lease.node} has no IPv${family} lease`);
  return part;
}

/** Puts another text in the place of what the node tells its peers. */
export function rewriteAttributes(lab: Lab, node: LabNode, rewrite: (attributes: string) => string): void {
  const { attributes } = leaseOf(lab, node);
  change(lab, 'UPDATE lease SET attributes = ?, revision = ? WHERE node = ?', [rewrite(attributes)], node);
}

/** A row as somebody may write it who is no agent. */
export interface RowValues {
  readonly subnet: string | null;
  readonly subnet6: string | null;
  readonly attributes: string;
  /** The place after all others if absent. */
  readonly created?: number;
  readonly expiresMs?: number;
}

/** Puts a row into the store in place of the node's, and tells the agents. */
export function putRow(lab: Lab, name: string, row: RowValues): void {
  const sql = `INSERT INTO lease
      (subnet, subnet6, attributes, expires_ms, created, pid, boot_id, revision, node)
    VALUES (?, ?, ?, ?, coalesce(?, (SELECT max(created) + 1 FROM lease)), 0, '', ?, ?)
    ON CONFLICT (node) DO UPDATE SET subnet = excluded.subnet, subnet6 = excluded.subnet6,
      attributes = excluded.attributes, expires_ms = excluded.expires_ms, revision = excluded.revision`;
  const { subnet, subnet6, attributes, expiresMs = Date.now() + 3_600_000, created = null } = row;
  change(lab, sql, [subnet, subnet6, attributes, expiresMs, created], { name });
}

/** Removes a lease as an agent does that takes an expired one over. */
export function buryLease(lab: Lab, node: Pick<LabNode, 'name'>): void {
  const sql = 'UPDATE lease SET subnet = NULL, subnet6 = NULL, removed_ms = ?, revision = ? WHERE node = ?';
  change(lab, sql, [Date.now()], node);
}

/** Removes a lease without a trace, as nobody but an operator would. */
export function deleteLease(lab: Lab, node: LabNode): void {
  using database = open(lab);
  database.run('DELETE FROM lease WHERE node = ?', [node.name]);
}

/** The database is changed in one transaction with a revision of its own, and its sibling touched after that. */
function change(
  lab: Lab,
  sql: string,
  values: readonly (string | number | null)[],
  node: Pick<LabNode, 'name'>,
): void {
  using database = open(lab);
  database.transaction(() => {
    database.run('UPDATE state SET revision = revision + 1');
    const { revision } = v.parse(
      v.object({ revision: v.number() }),
      database.query('SELECT revision FROM state').get(),
    );
    database.run(sql, [...values, revision, node.name]);
  })();
  // As a writer has to: it may be gone.
  closeSync(openSync(`${databaseOf(lab)}-changed`, 'a'));
  utimesSync(`${databaseOf(lab)}-changed`, new Date(), new Date());
}

/** Agents may be writing. */
function open(lab: Lab, options?: { readonly readonly: true }): Database {
  const database = new Database(databaseOf(lab), options);
  database.run('PRAGMA busy_timeout = 5000');
  return database;
}

function databaseOf(lab: Lab): string {
  return join(lab.directory, 'leases.db');
}

function leasePart(subnet: string, publicIp: string, mac: string | undefined): LeasePart {
  return { subnet, base: subnet.slice(0, subnet.indexOf('/')), publicIp, mac: mac ?? '' };
}
