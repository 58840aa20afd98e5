/**
 * One agent's store as a process: takes its lease in each database that it is told of, and says what it got.
 *
 * @module
 */
import type { LeaseSource } from '../../src/model/lease-source.ts';
import { SqliteLeaseSource } from '../../src/store/sqlite/source.ts';
import { network, range, request, sure } from '../unit/store/samples.ts';
import { Ear, until } from './sources.ts';

/** What the worker is told. */
export interface Order {
  readonly round: number;
  readonly path: string;
  /** How many agents, and so subnets, there are. */
  readonly count: number;
  /** Whether to wait for all the others' leases, too. */
  readonly isSocial: boolean;
}

/** What the worker says. */
export interface Report {
  /** 0 when it is ready for orders. */
  readonly round: number;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Another reason than a lock why a lease was refused: there must be none. */
  readonly trouble?: string;
}

/** Exactly as many subnets of each family as there are agents. */
export function tightNetwork(count: number) {
  return network({
    ipv4: range('10.3.0.0/16', 24, ['10.3.1.0', `10.3.${count}.0`]),
    ipv6: range('fc00::/48', 64, ['fc00:0:0:1::', `fc00:0:0:${count.toString(16)}::`]),
  });
}

const LIMIT_MS = 30_000;

/** Takes the lease, as an agent does: again and again while it has to wait for the others. */
async function take(source: LeaseSource, n: number): Promise<Omit<Report, 'round'>> {
  const deadlineMs = performance.now() + LIMIT_MS;
  for (;;) {
    const result = await source.acquire(request(`node-${n}`, n));
    if (result.ok) {
      const { ipv4, ipv6 } = result.value.lease;
      return { ipv4: sure(ipv4, 'ipv4').subnet, ipv6: sure(ipv6, 'ipv6').subnet };
    }
    const { message } = result.error;
    const isLocked = message.includes('is locked by another process');
    if (!isLocked || performance.now() > deadlineMs) return { ipv4: '', ipv6: '', trouble: message };
    await Bun.sleep(20);
  }
}

async function serve(n: number): Promise<void> {
  const node = `node-${n}`;
  let source: LeaseSource | undefined;
  process.on('message', async ({ round, path, count, isSocial }: Order) => {
    source?.close();
    const opened = new SqliteLeaseSource({
      path,
      network: tightNetwork(count),
      node,
      renewMarginMinutes: 60,
    });
    source = opened;
    const ear = new Ear();
    if (isSocial) opened.watch(ear);
    const report = await take(opened, n);
    if (isSocial) await until('all peers', () => ear.names.length === count - 1, LIMIT_MS);
    if (ear.changes.some(({ set }) => set.refused.length > 0)) throw new Error('A peer was refused');
    process.send?.({ ...report, round });
  });
  process.send?.({ round: 0, ipv4: '', ipv6: '' });
}

if (import.meta.main) await serve(Number(process.argv[2]));
