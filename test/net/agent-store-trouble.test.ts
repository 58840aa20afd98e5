import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOverlay } from './agent-overlay.ts';
import { readLeases } from './agent-store.ts';
import { eventually, expectPodsTalk, expectTrouble, JSON_LOG, TIMEOUT_MS } from './agent-support.ts';
import { createLab } from './lab.ts';

/** Ends what a trouble has begun. */
type Heal = () => void;

function garbage(path: string): void {
  writeFileSync(path, 'This is no database. '.repeat(1_000));
}

/** Another file takes the place of the database; the former one comes back. */
function replaceBy(path: string, make: (path: string) => void): Heal {
  const [sound, other] = [`${path}.sound`, `${path}.other`];
  new Database(path).run(`VACUUM INTO '${sound}'`);
  make(other);
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  renameSync(other, path);
  return () => {
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    renameSync(sound, path);
  };
}

const TROUBLES: readonly (readonly [
  what: string,
  code: string,
  text: string,
  begin: (path: string) => Heal,
])[] = [
  ['becomes garbage', 'store-corrupt', 'is damaged', (path) => replaceBy(path, garbage)],
  [
    "becomes another program's",
    'store-corrupt',
    'belongs to another program',
    (path) => replaceBy(path, (other) => new Database(other).run('CREATE TABLE recipes (name TEXT)')),
  ],
  [
    'becomes one of a newer version',
    'store-version',
    'has version 2',
    (path) =>
      replaceBy(path, (other) => {
        copyFileSync(`${path}.sound`, other);
        new Database(other).run('PRAGMA user_version = 2');
      }),
  ],
  [
    'becomes a directory',
    'store-unavailable',
    'Cannot use the lease database',
    (path) => {
      renameSync(path, `${path}.sound`);
      mkdirSync(path);
      return () => {
        rmSync(path, { recursive: true });
        renameSync(`${path}.sound`, path);
      };
    },
  ],
];

test.each(TROUBLES)(
  'a lease database that %s while agents run is named; pods go on talking, and it is used again when it is sound',
  async (_, code, text, begin) => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    const leases = readLeases(lab);
    const before = lab.nodes.map(readOverlay);
    const heal = begin(join(lab.directory, 'leases.db'));
    for (const node of lab.nodes) await expectTrouble(node, code, text);
    await expectPodsTalk(pods);
    expect(lab.nodes.map(readOverlay)).toEqual(before);
    heal();
    await eventually(async () => {
      for (const node of lab.nodes) expect((await node.agent.get('/readyz'))?.status).toBe(200);
    });
    expect([readLeases(lab), lab.nodes.map(readOverlay)]).toEqual([leases, before]);
  },
  TIMEOUT_MS,
);

test(
  'a lease database that is removed while agents run is made again with the same leases',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const leases = readLeases(lab);
    const before = lab.nodes.map(readOverlay);
    for (const suffix of ['', '-wal', '-shm'])
      rmSync(join(lab.directory, `leases.db${suffix}`), { force: true });
    await eventually(() => expect(readLeases(lab)).toEqual(leases));
    await eventually(async () => {
      for (const node of lab.nodes) expect((await node.agent.get('/readyz'))?.status).toBe(200);
    });
    expect(lab.nodes.map(readOverlay)).toEqual(before);
  },
  TIMEOUT_MS,
);

test(
  'a locked lease database is named after a while, by a new agent only; the one with a lease is ready, also anew',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const [node, late] = [lab.node(1), lab.node(2)];
    await node.start(JSON_LOG).ready();
    const database = new Database(join(lab.directory, 'leases.db'));
    database.run('BEGIN IMMEDIATE');
    late.start(JSON_LOG);
    await expectTrouble(late, 'store-unavailable', 'is locked by another process');
    await node.kill();
    await node.start(JSON_LOG).ready();
    database.run('ROLLBACK');
    database.close();
    await late.agent.ready();
    await lab.settled();
  },
  TIMEOUT_MS,
);

test(
  'on a full disk a new agent says so and waits; the one with a lease is ready, also anew',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const [node, late] = [lab.node(1), lab.node(2)];
    const disk = join(lab.directory, 'disk');
    mkdirSync(disk);
    Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', 'size=160k', 'tmpfs', disk]);
    const options = { arguments: [...JSON_LOG.arguments, '--lease-db', join(disk, 'leases.db')] };
    try {
      await node.start(options).ready();
      fill(join(disk, 'rest'));
      late.start(options);
      await expectTrouble(late, 'store-unavailable', 'SQLITE_FULL');
      await node.kill();
      await node.start(options).ready();
      rmSync(join(disk, 'rest'));
      await late.agent.ready();
      await lab.settled();
    } finally {
      for (const each of lab.nodes) await each[Symbol.asyncDispose]();
      Bun.spawnSync(['umount', disk]);
    }
  },
  TIMEOUT_MS,
);

/** Takes the rest of a disk. */
function fill(path: string): void {
  Bun.spawnSync(['sh', '-c', `cat /dev/zero > ${path}`], { stderr: 'ignore' });
}
