/**
 * `npm run bench`: what the agent costs, beside iproute2's batch tools in the same run.
 *
 *     npm run bench                     all of it, half an hour
 *     npm run bench -- --quick          small sizes, few runs each: shows that the bench works
 *     npm run bench -- --only repair    the sections whose names begin so
 *     npm run bench -- --json           the rows as JSON, at the end
 *     npm run bench -- --only kube --minutes 10    Nodes that report for ten minutes, not for one
 *
 * @module
 */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { formatTable } from '../../src/cli/table.ts';
import { ownNetwork } from '../own-network.ts';
import { cniRows } from './cni.ts';
import { convergeRows } from './converge.ts';
import { etcdRows } from './etcd.ts';
import { idleRows } from './idle.ts';
import { kubeSections } from './kube/sections.ts';
import { leaseChangeRows } from './lease-change.ts';
import { memoryAfterWorkRows, memoryBesideRows, memoryColdRows, memoryRows } from './memory.ts';
import { linkFloorRows, repairRows } from './repair.ts';
import { restartRows } from './restart.ts';
import type { Row } from './row.ts';
import { executableRows, startRows } from './start.ts';
import { syscallRows } from './syscalls.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    only: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    // In the network that is made for it.
    inside: { type: 'boolean' },
  },
});
const quick = values.quick === true;
const runs = quick ? 1 : 5;
const times = quick ? 3 : 20;
const sizes = quick ? [3] : [3, 1_000, 5_000];

type Section = readonly [name: string, measure: () => Row[] | Promise<Row[]>];

const convergence: readonly Section[] = (['vxlan', 'host-gw'] as const).flatMap((backend) =>
  ([[4], [4, 6]] as const).flatMap((families) =>
    (quick ? [100] : [100, 1_000, 5_000]).map((count): Section => {
      const name = `convergence, ${count} peers, ${backend}, ${families.length} families`;
      return [name, () => convergeRows({ count, families, backend }, runs)];
    }),
  ),
);

const SECTIONS: readonly Section[] = [
  ['executable', () => executableRows(!quick)],
  ['start', () => startRows(runs * 2)],
  ...convergence,
  ...(quick ? [0, 100] : [0, 1_000, 5_000]).map(
    (count): Section => [`lease change, ${count} leases`, () => leaseChangeRows(count, times)],
  ),
  ...sizes.map(
    (count): Section => [`etcd, ${count} leases`, () => etcdRows(count, { runs: quick ? 1 : 3, quick })],
  ),
  ...kubeSections({ quick, stormMinutes: Number(values.minutes) }),
  ['cni', () => cniRows(quick ? 10 : 100)],
  ['repair, vxlan', () => repairRows('vxlan', times)],
  ['repair, by ip', () => linkFloorRows(times)],
  ['repair, host-gw', () => repairRows('host-gw', times)],
  ['system calls', () => syscallRows(quick ? 100 : 1_000)],
  ['restart, kill -9', () => restartRows('SIGKILL', times)],
  ['restart, SIGTERM', () => restartRows('SIGTERM', times)],
  ['idle', () => idleRows(quick ? [3] : [3, 5_000], quick)],
  ...sizes.map(
    (count): Section => [`memory, ${count} peers`, () => memoryRows({ count, runs: quick ? 1 : 3, quick })],
  ),
  ...sizes.map(
    (count): Section => [
      `memory, ${count} peers, beside two`,
      () => memoryBesideRows({ count, runs: 1, quick }),
    ],
  ),
  ['memory, executable not cached', () => memoryColdRows(quick)],
  ['memory, after work', () => memoryAfterWorkRows(quick)],
];

async function main(): Promise<void> {
  // A user namespace would do for the agent, but not for the witness: only root may have its large buffer.
  if (process.getuid?.() !== 0) {
    console.error('The bench needs root: its witness listens with a buffer that others may not have');
    process.exit(1);
  }
  if (values.inside !== true) {
    process.exitCode = await runInside();
    return;
  }
  const rows: Row[] = [];
  for (const [name, measure] of SECTIONS.filter(([each]) => each.startsWith(values.only ?? ''))) {
    console.error(`${name} ...`);
    rows.push(...(await measure()));
  }
  console.log(`\n${cpus().length} cores ${cpus()[0]?.model ?? ''}, Linux ${release()}; medians\n`);
  const cells = rows.map(({ measure, runs: count, result, spread, reach }) => {
    const met = reach === undefined ? '' : reach.met ? `${reach.text}  met` : `${reach.text}  MISSED`;
    return [measure, `${count}`, result, spread, met];
  });
  console.log(
    formatTable(['measure', 'runs', 'median', 'from - to', 'reach'], cells, {
      align: ['left', 'right', 'right', 'right', 'left'],
    }),
  );
  if (values.json === true) console.log(JSON.stringify(rows));
}

/** Again in a network of its own, in which servers may listen where they like. */
async function runInside(): Promise<number> {
  const command = [process.execPath, import.meta.path, ...process.argv.slice(2), '--inside'];
  const mortal = ['setpriv', '--pdeathsig', 'KILL', '--'];
  return Bun.spawn([...mortal, ...ownNetwork(), ...command], { stdio: ['ignore', 'inherit', 'inherit'] })
    .exited;
}

await main();
process.exit();
