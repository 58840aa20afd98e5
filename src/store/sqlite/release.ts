/**
 * Giving a node's lease back, and what is known of all leases before that.
 *
 * @module
 */
import { statSync } from 'node:fs';
import type { Clock } from '../../model/clock.ts';
import type { Prefix } from '../../model/ip.ts';
import type { Lease } from '../../model/lease.ts';
import type { Problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import { DatabaseHandle } from './database-handle.ts';
import { failureOf, type StoreFailure } from './failure.ts';
import { LeaseDatabase } from './lease-database.ts';
import { heldSubnets, storedLease } from './lease-row.ts';
import { Patience } from './patience.ts';
import { touchSibling } from './sibling.ts';

/** The lease of one node, as its row says. */
export interface HeldLease {
  readonly subnets: readonly Prefix[];
  /** `undefined` if its attributes make no sense. */
  readonly lease: Lease | undefined;
  /** The process that last wrote the row, and the boot that it ran in. */
  readonly pid: number;
  readonly bootId: string;
}

/** All leases, seen from one node. */
export interface LeaseSurvey {
  readonly own: HeldLease | undefined;
  /** The others that make sense. */
  readonly peers: readonly Lease[];
  /** How many other nodes hold subnets, whether they make sense or not. */
  readonly others: number;
}

/** How long a lock is waited for, with which clock and dice. */
export interface ReleaseOptions {
  readonly clock: Clock;
  readonly random: () => number;
}

/** Whether there is a file that may hold leases: an empty one holds none, one that cannot be looked at may. */
export function mayHaveLeases(path: string): boolean {
  try {
    return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;
  } catch {
    return true;
  }
}

/** Reads all leases of a database that exists, and changes nothing. A lock is waited for up to 5 s. */
export async function surveyLeases(
  path: string,
  node: string,
  { clock, random }: ReleaseOptions,
): Promise<Result<LeaseSurvey, Problem>> {
  return await new Patience(clock, random).wait(() => attempt(path, node));
}

function attempt(path: string, node: string): Result<LeaseSurvey, StoreFailure> {
  let database: LeaseDatabase | undefined;
  try {
    database = LeaseDatabase.open(path, 'read');
    const row = database.row(node);
    const peers: Lease[] = [];
    for (const each of database.allRows()) {
      const lease = each.node === node ? undefined : storedLease(each);
      if (lease !== undefined) peers.push(lease);
    }
    const others = database.holdersBeside(node).length;
    if (row === undefined || row.isRemoved) return ok({ own: undefined, peers, others });
    const { ipv4, ipv6 } = heldSubnets(row);
    const subnets = [ipv4, ipv6].filter((subnet) => subnet !== undefined);
    const own = { subnets, lease: storedLease(row), pid: row.pid, bootId: row.bootId };
    return ok({ own, peers, others });
  } catch (error) {
    return fail(failureOf(error, path));
  } finally {
    database?.close();
  }
}

/**
 * Gives the lease of a node back: its subnets are free, and all agents hear of it. A lock is waited for up to 5 s.
 *
 * @returns how many other nodes hold leases in the database
 */
export async function releaseLease(
  path: string,
  node: string,
  { clock, random }: ReleaseOptions,
): Promise<Result<number, Problem>> {
  const handle = new DatabaseHandle({ path, monotonicMs: clock.monotonicMs });
  const released = await new Patience(clock, random).wait(() =>
    handle.use('release', (database) => {
      const nowMs = clock.nowMs();
      database.transact(true, (revision) => {
        database.bury(node, { revision, nowMs });
        database.purge(nowMs);
      });
      return database.holdersBeside(node).length;
    }),
  );
  handle.close();
  if (released.ok) tell(path);
  return released;
}

/** The lease is given back: if nobody can be told, other agents see the write to the log, or their next look. */
function tell(path: string): void {
  try {
    touchSibling(path);
  } catch {
    // Nothing depends on it.
  }
}
