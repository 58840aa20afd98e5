import { Database } from 'bun:sqlite';
import { afterEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Random, seededRandom } from '../fuzz/random.ts';
import type { Order, Report } from './contention-worker.ts';

const AGENTS = 50;
const ROUNDS = 100;
/** Up to so many processes are killed in a round. */
const VICTIMS_MAX = 3;
const LIMIT_MS = 30_000;

const directory = mkdtempSync(join(tmpdir(), 'flannelette-contention-'));

/** One agent: a process, and another of the same name once that was killed. */
class Agent {
  readonly #n: number;
  #process: Bun.Subprocess | undefined;
  #isReady = false;
  #order: Order | undefined;
  #done: PromiseWithResolvers<void> = Promise.withResolvers();
  /** What every process of this agent has said in this round. */
  reports: Report[] = [];
  /** How many processes were killed, and how many of them before they had said anything. */
  killed = 0;
  cutShort = 0;

  constructor(n: number) {
    this.#n = n;
    this.#start();
  }

  /** Gives the order to take a lease. */
  begin(order: Order): void {
    this.#order = order;
    this.#done = Promise.withResolvers();
    this.reports = [];
    // A process that starts gets it as soon as it listens.
    if (this.#isReady) this.#process?.send(order);
  }

  /** Kept when a process that lives has done the current order. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Ends the process with no warning, and starts another. */
  async replace(): Promise<void> {
    const dying = this.#process;
    this.killed++;
    if (this.reports.length === 0) this.cutShort++;
    this.#done = Promise.withResolvers();
    dying?.kill('SIGKILL');
    await dying?.exited;
    this.#start();
  }

  stop(): void {
    this.#process?.kill('SIGKILL');
  }

  #start(): void {
    const worker = join(import.meta.dir, 'contention-worker.ts');
    const child = Bun.spawn([process.execPath, worker, String(this.#n)], {
      ipc: (report: Report) => this.#hear(child, report),
      stdout: 'inherit',
      stderr: 'inherit',
    });
    this.#process = child;
    this.#isReady = false;
  }

  #hear(speaker: Bun.Subprocess, report: Report): void {
    const order = this.#order;
    if (report.round === 0 && speaker === this.#process) {
      this.#isReady = true;
      if (order !== undefined) speaker.send(order);
    }
    if (report.round === 0 || report.round !== order?.round) return;
    this.reports.push(report);
    // What the dead have said counts, but does not end the round.
    if (speaker === this.#process) this.#done.resolve();
  }
}

const agents: Agent[] = [];

afterEach(() => {
  for (const agent of agents) agent.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Kills some agents' processes at random moments, until all have died once. */
async function harm(random: Random): Promise<void> {
  const victims = new Set(Array.from({ length: random(VICTIMS_MAX + 1) }, () => random(AGENTS)));
  await Promise.all(
    [...victims].map(async (victim) => {
      await Bun.sleep(random(250));
      await agents[victim]?.replace();
    }),
  );
}

async function within<T>(what: string, work: Promise<T>): Promise<T> {
  const late = Bun.sleep(LIMIT_MS).then(() => {
    throw new Error(`Not within ${LIMIT_MS} ms: ${what}`);
  });
  return Promise.race([work, late]);
}

/** What the database says, by node. */
function stored(path: string): Map<string, { subnet: string; subnet6: string }> {
  const db = new Database(path, { readonly: true });
  const rows = db.query<{ node: string; subnet: string; subnet6: string }, []>(
    'SELECT node, subnet, subnet6 FROM lease WHERE removed_ms IS NULL',
  );
  const leases = new Map(rows.all().map(({ node, ...subnets }) => [node, subnets]));
  expect(db.query('PRAGMA integrity_check').values()).toEqual([['ok']]);
  db.close();
  return leases;
}

function checkRound(path: string): void {
  expect(agents.flatMap(({ reports }) => reports.flatMap(({ trouble }) => trouble ?? []))).toEqual([]);
  const leases = stored(path);
  expect(leases.size).toBe(AGENTS);
  const ends = agents.map(({ reports }) => reports.at(-1));
  expect(new Set(ends.map((end) => end?.ipv4)).size).toBe(AGENTS);
  expect(new Set(ends.map((end) => end?.ipv6)).size).toBe(AGENTS);
  agents.forEach(({ reports }, n) => {
    const { subnet, subnet6 } = leases.get(`node-${n}`) ?? {};
    // Whoever was granted a lease, even if it was killed right after, has it to the end.
    for (const { ipv4, ipv6 } of reports) expect([ipv4, ipv6]).toEqual([`${subnet}`, `${subnet6}`]);
  });
}

function sum(of: (agent: Agent) => number): number {
  return agents.reduce((total, agent) => total + of(agent), 0);
}

test(`${AGENTS} processes never hold overlapping subnets, nor lose one, in ${ROUNDS} rounds with kill -9`, async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = seededRandom(seed);
  const startedMs = performance.now();
  for (let n = 0; n < AGENTS; n++) agents.push(new Agent(n));
  for (let round = 1; round <= ROUNDS; round++) {
    // The range has exactly one subnet for each.
    const path = join(directory, `round-${round}.db`);
    const order: Order = { round, path, count: AGENTS, isSocial: round === ROUNDS };
    try {
      for (const agent of agents) agent.begin(order);
      await within('the harm', harm(random));
      await within('the leases', Promise.all(agents.map(({ done }) => done)));
      checkRound(path);
    } catch (error) {
      throw new Error(`Seed ${seed}, round ${round}`, { cause: error });
    }
    for (const suffix of ['', '-wal', '-shm', '-changed']) {
      if (round > 1) rmSync(join(directory, `round-${round - 1}.db${suffix}`), { force: true });
    }
  }
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  const [killed, cutShort] = [sum(({ killed }) => killed), sum(({ cutShort }) => cutShort)];
  console.log(
    `contention: seed ${seed}, ${ROUNDS} rounds of ${AGENTS} in ${seconds} s, ${killed} killed, ${cutShort} of them before they had a lease`,
  );
  expect(killed).toBeGreaterThan(ROUNDS / 2);
  expect(cutShort).toBeGreaterThan(0);
}, 300_000);
