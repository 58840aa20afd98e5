/**
 * One lease among many: how soon after its commit the kernel has the route.
 *
 * @module
 */
import { Database } from 'bun:sqlite';
import { utimesSync } from 'node:fs';
import { siblingOf } from '../../src/store/sqlite/sibling.ts';
import { BenchNode, endAgent, startedAgent } from './bench-node.ts';
import { attributesOf, subnetOf } from './leases.ts';
import { type Row, rowOf } from './row.ts';
import { Witness } from './witness.ts';

/** The bench's own leases have numbers from here on: subnets that no seeded lease has. */
const FIRST = 12_000;
const DAY_MS = 86_400_000;
const PAUSE_MS = 100;

/** Writes leases as another agent does: one transaction, then a touch of the sibling file. */
export class LeaseWriter implements Disposable {
  readonly #db: Database;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.#db = new Database(path);
    this.#db.run('PRAGMA busy_timeout = 5000');
    this.#db.run('PRAGMA synchronous = NORMAL');
  }

  /** Gives node `peer-<i>` the subnet of number `subnet`. */
  put(i: number, subnet: number): void {
    this.#within((revision) => {
      const cidr = subnetOf(subnet, 4);
      const attributes = attributesOf(i, { families: [4], backend: 'vxlan' });
      const changed = this.#db.run(
        'UPDATE lease SET subnet = ?, attributes = ?, revision = ?, removed_ms = NULL WHERE node = ?',
        [cidr, attributes, revision, `peer-${i}`],
      );
      if (changed.changes > 0) return;
      this.#db.run(
        'INSERT INTO lease (node, subnet, attributes, expires_ms, revision, pid, boot_id) VALUES (?, ?, ?, ?, ?, 1, ?)',
        [`peer-${i}`, cidr, attributes, Date.now() + DAY_MS, revision, 'bench'],
      );
    });
  }

  remove(i: number): void {
    this.#within((revision) =>
      this.#db.run('UPDATE lease SET subnet = NULL, removed_ms = ?, revision = ? WHERE node = ?', [
        Date.now(),
        revision,
        `peer-${i}`,
      ]),
    );
  }

  /** Tells those who watch. */
  touch(): void {
    utimesSync(siblingOf(this.#path), new Date(), new Date());
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #within(write: (revision: number) => void): void {
    this.#db
      .transaction(() => {
        this.#db.run('UPDATE state SET revision = revision + 1');
        const row = this.#db.query<{ revision: number }, []>('SELECT revision FROM state').get();
        write(row?.revision ?? 0);
      })
      .immediate();
  }
}

/** Rows for `count` leases that are there already. */
export async function leaseChangeRows(count: number, times: number): Promise<Row[]> {
  using node = new BenchNode({ count, families: [4], backend: 'vxlan' });
  const agent = await startedAgent(node);
  await Bun.sleep(2_000);
  using witness = new Witness(node.netns);
  using writer = new LeaseWriter(node.path('leases.db'));
  const times_: Record<'added' | 'changed' | 'removed', number[]> = { added: [], changed: [], removed: [] };
  const base = (subnet: number) => subnetOf(subnet, 4).replace(/\/\d+$/, '');
  const measure = async (what: keyof typeof times_, name: string, gone: boolean, write: () => void) => {
    const heard = witness.next((each) => each.kind === 'route' && each.name === name && each.gone === gone);
    write();
    const committedMs = performance.now();
    writer.touch();
    times_[what].push((await heard).atMs - committedMs);
    await Bun.sleep(PAUSE_MS);
  };
  for (let i = FIRST; i < FIRST + times; i++) {
    await measure('added', base(i), false, () => writer.put(i, i));
    await measure('changed', base(i + 1_000), false, () => writer.put(i, i + 1_000));
    await measure('removed', base(i + 1_000), true, () => writer.remove(i));
  }
  await endAgent(agent);
  return Object.entries(times_).map(([what, values]) =>
    rowOf(`one lease ${what} among ${count}: COMMIT to route`, values, {
      unit: 'ms',
      digits: 2,
      p95: true,
      reach: { median: 3 },
    }),
  );
}
