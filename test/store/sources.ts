/**
 * Lease sources on real files, and what they tell.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/model/clock.ts';
import type { Lease } from '../../src/model/lease.ts';
import type {
  LeaseChange,
  LeaseListener,
  LeaseSourceStatus,
  OwnLease,
} from '../../src/model/lease-source.ts';
import type { NetworkConfig } from '../../src/model/network.ts';
import type { Problem } from '../../src/model/problem.ts';
import type { Result } from '../../src/model/result.ts';
import type { Holder, IsAlive } from '../../src/store/sqlite/holder.ts';
import { LeaseDatabase } from '../../src/store/sqlite/lease-database.ts';
import { SqliteLeaseSource } from '../../src/store/sqlite/source.ts';
import { network, request } from '../unit/store/samples.ts';

/** Everything that a source has told, the newest last. */
export class Ear implements LeaseListener {
  readonly changes: LeaseChange[] = [];
  readonly losses: string[] = [];
  readonly statuses: LeaseSourceStatus[] = [];

  /** How many peers each list had when it was told: the peers themselves change with the book. */
  readonly sizes: number[] = [];

  readonly onLeases = (change: LeaseChange): void => {
    this.changes.push(change);
    this.sizes.push(change.set.peers.size);
  };
  readonly onOwnLeaseLost = (reason: string): void => void this.losses.push(reason);
  readonly onStatus = (status: LeaseSourceStatus): void => void this.statuses.push(status);

  /** The peers of the last list, by name. */
  get peers(): Record<string, Lease | undefined> {
    const { peers } = this.changes.at(-1)?.set ?? { peers: new Map<string, Lease>() };
    return Object.fromEntries([...peers.keys()].sort().map((node) => [node, peers.get(node)]));
  }

  /** A peer of the last list. */
  peer(node: string): Lease | undefined {
    return this.changes.at(-1)?.set.peers.get(node);
  }

  /** The names of the peers of the last list. */
  get names(): string[] {
    return Object.keys(this.peers);
  }
}

/** What differs from one source of a test to the other. */
export interface OpenOptions {
  readonly network?: NetworkConfig;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly holder?: Holder;
  readonly isAlive?: IsAlive;
}

/** A directory with a database path in it, and the sources that a test has opened there. */
export class Laboratory {
  readonly directory = mkdtempSync(join(tmpdir(), 'flannelette-store-'));
  readonly path = join(this.directory, 'leases.db');
  readonly log: string[] = [];
  readonly #sources: SqliteLeaseSource[] = [];

  /** A source for a node, not yet used. */
  open(node: string, options: OpenOptions = {}): SqliteLeaseSource {
    const source = new SqliteLeaseSource({
      path: this.path,
      network: network(),
      node,
      renewMarginMinutes: 60,
      log: (text) => this.log.push(text),
      ...options,
    });
    this.#sources.push(source);
    return source;
  }

  /** Begins to listen to a source. */
  listen(source: SqliteLeaseSource): Ear {
    const ear = new Ear();
    source.watch(ear);
    return ear;
  }

  /** Agents `a` and `b`, which know each other. */
  async twoAgents() {
    const sources = [this.open('a'), this.open('b')] as const;
    const ears = [this.listen(sources[0]), this.listen(sources[1])] as const;
    const leases = [await acquired(sources[0], 'a', 1), await acquired(sources[1], 'b', 2)] as const;
    await until('acquaintance', () => ears.every(({ names }) => names.length === 1));
    return { sources, ears, leases };
  }

  /** What a look from outside reads, or does. */
  inspect<T>(look: (database: LeaseDatabase) => T): T {
    const database = LeaseDatabase.open(this.path);
    try {
      return look(database);
    } finally {
      database.close();
    }
  }

  /** Ends everything, and removes the directory. */
  close(): void {
    for (const source of this.#sources) source.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Node `n` with its lease taken. */
export async function acquired(source: SqliteLeaseSource, node: string, n: number): Promise<OwnLease> {
  return granted(await source.acquire(request(node, n)));
}

/** The value of a success. */
export function granted<T>(result: Result<T, Problem>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

/** The problem of a failure. */
export function refusal<T>(result: Result<T, Problem>): Problem {
  if (result.ok) throw new Error(`No problem but ${JSON.stringify(result.value)}`);
  return result.error;
}

/** Waits in real time until something is so. */
export async function until(what: string, isSo: () => boolean, limitMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > deadlineMs) throw new Error(`Not within ${limitMs} ms: ${what}`);
    await Bun.sleep(1);
  }
}
