/**
 * What was put right after something else had changed it.
 *
 * @module
 */
import type { ObjectKind } from './objects.ts';

const EVERY_KIND: Readonly<Record<ObjectKind, true>> = {
  link: true,
  up: true,
  address: true,
  route: true,
  neighbour: true,
  fdb: true,
  sysctl: true,
  offload: true,
  file: true,
  table: true,
  passage: true,
};

/** The kinds of object. */
export const OBJECT_KINDS = Object.keys(EVERY_KIND) as readonly ObjectKind[];

/** What had been done to an object that was put right: `added` is one that is not wanted. */
export const REPAIR_CAUSES = ['removed', 'changed', 'added'] as const;

/** See {@link REPAIR_CAUSES}. */
export type RepairCause = (typeof REPAIR_CAUSES)[number];

/** Counts of repairs by kind of object and cause. */
export class RepairCounts {
  readonly #byKind = new Map<ObjectKind, Map<RepairCause, number>>();

  /** Counts one repair, or several. */
  add(kind: ObjectKind, cause: RepairCause, count: number = 1): void {
    const byCause = this.#byKind.get(kind) ?? new Map<RepairCause, number>();
    this.#byKind.set(kind, byCause.set(cause, (byCause.get(cause) ?? 0) + count));
  }

  /** Counts what others have counted. */
  addAll(others: RepairCounts): void {
    for (const [kind, byCause] of others.#byKind)
      for (const [cause, count] of byCause) this.add(kind, cause, count);
  }

  of(kind: ObjectKind, cause: RepairCause): number {
    return this.#byKind.get(kind)?.get(cause) ?? 0;
  }

  /** The kinds of which anything was put right, with how often. */
  *byKind(): Generator<[ObjectKind, number]> {
    for (const [kind, byCause] of this.#byKind) yield [kind, sumOf(byCause.values())];
  }

  get total(): number {
    return sumOf([...this.byKind()].map(([, count]) => count));
  }
}

function sumOf(counts: Iterable<number>): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}
