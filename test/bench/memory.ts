/**
 * Memory: at rest, beside other agents of the same executable, and after much work.
 *
 * @module
 */

import { run } from '../net/witness.ts';
import { type BenchAgent, BenchNode, EXECUTABLE, endAgent, startedAgent } from './bench-node.ts';
import { LeaseWriter } from './lease-change.ts';
import { subnetOf } from './leases.ts';
import { MemoryGroup, type ProcessUse, readProcess } from './process.ts';
import { lacking, type Row, rowOf } from './row.ts';

/** When memory is read after the last work: flanneld's was read so, too. */
const SETTLED_MS = 30_000;
const QUICK_MS = 3_000;

const REPAIRS = 1_000;
const LEASE_CHANGES = 50_000;
/** So many changes become one touch: as when a cluster comes back. */
const CHANGES_A_TOUCH = 100;

/** In megabytes (2^20 bytes) of RssAnon, by the number of peers. */
const REACH: ReadonlyMap<number, number> = new Map([
  [3, 8],
  [1_000, 10],
  [5_000, 16],
]);

interface Reading extends ProcessUse {
  /** Of the memory cgroup, in KiB, if there is one. */
  readonly group: { readonly nowKib: number; readonly peakKib: number } | undefined;
}

/** How it is measured. */
export interface MemoryOptions {
  readonly count: number;
  readonly runs: number;
  readonly quick: boolean;
}

/** One agent alone, its executable in the page cache already: those pages are charged to whoever has read them. */
export async function memoryRows({ count, runs, quick }: MemoryOptions): Promise<Row[]> {
  const readings: Reading[] = [];
  for (let i = 0; i < runs; i++) readings.push(await measure({ count, others: 0, quick }));
  const name = `${count} peers`;
  return [...rowsOf(name, readings, REACH.get(count)), ...chargeRows(name, readings)];
}

/** The first agent after a boot pays for the pages of its executable, and for what the disk reads ahead of them. */
export async function memoryColdRows(quick: boolean): Promise<Row[]> {
  // Drops what nobody has mapped.
  Bun.spawnSync(['dd', `if=${EXECUTABLE}`, 'iflag=nocache', 'count=0', 'status=none']);
  const reading = await measure({ count: 3, others: 0, quick });
  return chargeRows('3 peers, executable not in the page cache', [reading]);
}

function chargeRows(name: string, readings: readonly Reading[]): Row[] {
  const groups = readings.flatMap(({ group }) => group ?? []);
  if (groups.length === 0) return [lacking(`${name}: cgroup charge`, 'no memory cgroup')];
  const row = (what: string, values: readonly number[]) =>
    rowOf(`${name}: cgroup ${what}`, megabytes(values), { unit: 'MB', digits: 1 });
  return [
    row(
      'charge',
      groups.map(({ nowKib }) => nowKib),
    ),
    row(
      'peak',
      groups.map(({ peakKib }) => peakKib),
    ),
  ];
}

/** One of three agents of one machine. */
export async function memoryBesideRows({ count, runs, quick }: MemoryOptions): Promise<Row[]> {
  const readings: Reading[] = [];
  for (let i = 0; i < runs; i++) readings.push(await measure({ count, others: 2, quick }));
  return rowsOf(`${count} peers, two more agents beside`, readings, REACH.get(count));
}

/** After a thousand repairs, and after fifty thousand changes of leases. */
export async function memoryAfterWorkRows(quick: boolean): Promise<Row[]> {
  const count = 1_000;
  using node = new BenchNode({ count, families: [4], backend: 'vxlan' });
  const agent = await startedAgent(node);
  const settled = async () => {
    await Bun.sleep(quick ? QUICK_MS : SETTLED_MS);
    return [{ ...readProcess(agent.process.pid), group: undefined }];
  };
  const before = rowsOf(`${count} peers, before`, await settled(), undefined);
  for (let i = 0; i < REPAIRS; i++) {
    run(node.netns, ['ip', 'route', 'delete', subnetOf(i % count, 4)]);
    if (i % 10 === 0) await Bun.sleep(1);
  }
  const repaired = rowsOf(`${count} peers, after ${REPAIRS} repairs`, await settled(), REACH.get(count));
  using writer = new LeaseWriter(node.path('leases.db'));
  const changes = quick ? LEASE_CHANGES / 50 : LEASE_CHANGES;
  for (let i = 0; i < changes; i++) {
    // Back and forth between two subnets each.
    writer.put(i % count, (i % count) + (Math.floor(i / count) % 2 === 0 ? 5_000 : 0));
    if (i % CHANGES_A_TOUCH === 0) {
      writer.touch();
      await Bun.sleep(5);
    }
  }
  writer.touch();
  const changed = rowsOf(`${count} peers, after ${changes} lease changes`, await settled(), REACH.get(count));
  await endAgent(agent);
  return [...before, ...repaired, ...changed];
}

async function measure({
  count,
  others,
  quick,
}: {
  count: number;
  others: number;
  quick: boolean;
}): Promise<Reading> {
  using stack = new DisposableStack();
  const beside: BenchAgent[] = [];
  for (let i = 0; i < others; i++) {
    const other = stack.use(new BenchNode({ count: 3, families: [4], backend: 'vxlan' }));
    beside.push(await startedAgent(other));
  }
  const group = MemoryGroup.make();
  if (group !== undefined) stack.use(group);
  const node = stack.use(new BenchNode({ count, families: [4], backend: 'vxlan' }));
  const agent = await startedAgent(node, group?.wrapper);
  await Bun.sleep(quick ? QUICK_MS : SETTLED_MS);
  const reading = { ...readProcess(agent.process.pid), group: group?.read() };
  for (const each of [agent, ...beside]) await endAgent(each);
  return reading;
}

function rowsOf(name: string, readings: readonly Reading[], reach: number | undefined): Row[] {
  const row = (what: string, pick: (each: Reading) => number, limit?: number) =>
    rowOf(`${name}: ${what}`, megabytes(readings.map(pick)), {
      unit: 'MB',
      digits: 1,
      ...(limit === undefined ? {} : { reach: { median: limit } }),
    });
  return [
    row('RssAnon', ({ anonKib }) => anonKib, reach),
    row('VmRSS', ({ rssKib }) => rssKib),
    row('peak VmRSS', ({ peakKib }) => peakKib),
  ];
}

function megabytes(kib: readonly number[]): number[] {
  return kib.map((each) => each / 1024);
}
