/**
 * An agent's store where the kernel has no inotify instance left, until it has. Started in a user namespace,
 * which has a limit of its own; prints what came out as JSON.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteLeaseSource } from '../../src/store/sqlite/source.ts';
import { network } from '../unit/store/samples.ts';
import { acquired, Ear, until } from './sources.ts';

function allow(instances: number): void {
  writeFileSync('/proc/sys/user/max_inotify_instances', String(instances));
}

const path = join(process.argv[2] ?? '', 'leases.db');
const open = (node: string) =>
  new SqliteLeaseSource({ path, network: network(), node, renewMarginMinutes: 60 });

allow(0);
const [reader, writer] = [open('reader'), open('writer')];
const ear = new Ear();
reader.watch(ear);
await until('the first list', () => ear.changes.length === 1);
await acquired(writer, 'writer', 1);
await Bun.sleep(300);
const unheard = ear.names;
reader.refresh();
await until('the refresh', () => ear.names.length === 1);
const trouble = reader.status().problem;
allow(100);
await until('the watch', () => reader.status().problem === undefined, 20_000);
await acquired(writer, 'writer', 2);
await until('the change', () => ear.peer('writer')?.ipv4?.publicIp === '192.168.0.2');
reader.close();
writer.close();
console.log(JSON.stringify({ unheard, trouble }));
