/**
 * An agent's store on a small disk of its own, which gets full and is emptied again. Started in a user and mount
 * namespace with a directory to mount on; prints what came out as JSON.
 *
 * @module
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteLeaseSource } from '../../src/store/sqlite/source.ts';
import { network, request } from '../unit/store/samples.ts';
import { Ear } from './sources.ts';

function run(command: string): void {
  const { exitCode, stderr } = Bun.spawnSync(['sh', '-c', command]);
  if (exitCode !== 0) throw new Error(`${command}: ${stderr}`);
}

/** Takes the rest of the disk. */
function fill(path: string): void {
  let size = 1 << 20;
  let text = '';
  while (size > 0) {
    try {
      writeFileSync(path, `${text}${'x'.repeat(size)}`);
      text += 'x'.repeat(size);
    } catch {
      size >>= 1;
    }
  }
}

const directory = process.argv[2] ?? '';
const path = join(directory, 'leases.db');
run(`mount -t tmpfs -o size=256k tmpfs ${directory}`);
const open = () => new SqliteLeaseSource({ path, network: network(), node: 'a', renewMarginMinutes: 60 });

const source = open();
const ear = new Ear();
source.watch(ear);
const first = await source.acquire(request('a', 1));
const others = Array.from({ length: 30 }, (_, i) => `b${i}`);
fill(join(directory, 'rest'));
const full = [];
for (const node of others) {
  const other = new SqliteLeaseSource({ path, network: network(), node, renewMarginMinutes: 60 });
  const result = await other.acquire(request(node, 100 + full.length));
  full.push(result.ok ? 'ok' : result.error);
  other.close();
}
const kept = await source.own('a');
rmSync(join(directory, 'rest'));
const emptied = await source.acquire(request('a', 2));
source.close();

run(`mount -o remount,bind,ro ${directory}`);
const readOnly = open();
const refused = await readOnly.acquire(request('a', 3));
readOnly.close();
run(`mount -t tmpfs -o ro tmpfs ${directory}`);
const empty = open();
const unmade = await empty.acquire(request('a', 4));
empty.close();
console.log(JSON.stringify({ first, full, kept, emptied, refused, unmade }));
