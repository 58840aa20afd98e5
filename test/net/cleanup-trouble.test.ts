import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostGwOverlay, vxlanOverlay } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import { readLeases } from './agent-store.ts';
import { expectOverlay, TIMEOUT_MS } from './agent-support.ts';
import { cleanUp, directoryOf, plantForeign, wholeNode } from './cleanup-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

const BACKENDS = [
  { type: 'vxlan', overlay: vxlanOverlay },
  { type: 'host-gw', overlay: hostGwOverlay },
] as const;

const NOTHING = { links: [], addresses: [], routes: [], neighbours: [], forwarding: [] };

async function killedLab(type = 'vxlan'): Promise<Lab> {
  const lab = await createLab({ nodes: 3, backend: { Type: type } });
  await lab.startAll();
  await lab.node(1).kill();
  return lab;
}

function databaseOf(lab: Lab): string {
  return join(lab.directory, 'leases.db');
}

function isGone(lab: Lab, node: LabNode, ...names: string[]): boolean {
  return names.every((name) => !existsSync(join(directoryOf(lab, node), name)));
}

test(
  'a cleanup that was cut short is finished by the next',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    const node = lab.node(1);
    plantForeign(lab, node);
    const before = wholeNode(lab, node);
    for (const part of [0.1, 0.4, 0.7, 0.9]) {
      for (const each of lab.nodes) if (!each.running) each.start();
      await node.agent.ready();
      await lab.settled();
      await node.kill();
      const commands = cleanUp(lab, node, { flags: ['--dry-run'] }).lines.filter(
        (line) => !line.startsWith('#'),
      );
      node.run('sh', '-ec', commands.slice(0, Math.round(commands.length * part)).join('\n'));
      expect(cleanUp(lab, node).status).toBe(0);
      expect(wholeNode(lab, node)).toEqual(before);
    }
  },
  TIMEOUT_MS,
);

test(
  'a device that others stand on stays, with the lease and the memory of it, until they are gone',
  async () => {
    await using lab = await killedLab();
    const node = lab.node(1);
    node.run(...'ip link add link flannel.1 name on-top type macvlan'.split(' '));
    // The names of devices in /sys are those of the namespace that it was mounted in.
    const before = ['unshare', '-m', 'sh', '-c', 'mount -t sysfs sysfs /sys && exec "$@"', 'sh'];
    const { status, lines } = cleanUp(lab, node, { before });
    expect(status).toBe(3);
    expect(lines).toContain('  device flannel.1: on-top on it would go with it; remove that first');
    expect(node.ip('link', 'show', 'on-top').length).toBe(1);
    expect(readLeases(lab).length).toBe(3);
    expect(isGone(lab, node, 'state')).toBe(false);
    node.run('ip', 'link', 'del', 'on-top');
    expect(cleanUp(lab, node, { before }).status).toBe(0);
    expect(readOverlay(node)).toEqual(NOTHING);
    expect(readLeases(lab).length).toBe(2);
  },
  TIMEOUT_MS,
);

test.each(BACKENDS)(
  '$type: neither net-conf.json nor the state directory is needed',
  async ({ type, overlay }) => {
    await using lab = await killedLab(type);
    const node = lab.node(1);
    const netConf = join(lab.directory, 'net-conf.json');
    const text = readFileSync(netConf, 'utf8');
    writeFileSync(netConf, '{ "Network": ');
    rmSync(join(directoryOf(lab, node), 'state'), { recursive: true });
    const { status, lines } = cleanUp(lab, node);
    expect({ status, failures: lines.filter((line) => line.startsWith('✗')) }).toEqual({
      status: 0,
      failures: [],
    });
    expect(readOverlay(node)).toEqual(NOTHING);
    expect(isGone(lab, node, 'subnet.env', 'agent.sock')).toBe(true);
    writeFileSync(netConf, text);
    await expectOverlay(lab.node(2), () => overlay(lab, lab.node(2)));
  },
  TIMEOUT_MS,
);

test.each([
  { what: 'missing', damage: (path: string) => rmSync(path), said: 'there is no database' },
  {
    what: 'corrupt',
    damage: (path: string) =>
      writeFileSync(path, 'no database at all, but more than a header of it'.repeat(100)),
    said: 'is damaged',
  },
])(
  'host-gw with a lease database that is $what: all else goes, and the status says that something is left',
  async ({ damage, said }) => {
    await using lab = await killedLab('host-gw');
    const node = lab.node(1);
    for (const other of lab.nodes.slice(1)) await other.stop();
    for (const suffix of ['-wal', '-shm']) rmSync(databaseOf(lab) + suffix, { force: true });
    damage(databaseOf(lab));
    const before = existsSync(databaseOf(lab)) ? readFileSync(databaseOf(lab), 'hex') : '';
    const { status, lines } = cleanUp(lab, node);
    expect(status).toBe(3);
    expect(lines.filter((line) => line.includes(said)).length).toBe(1);
    expect(readOverlay(node)).toEqual(NOTHING);
    expect(isGone(lab, node, 'subnet.env', 'agent.sock', 'state')).toBe(true);
    expect(existsSync(databaseOf(lab)) ? readFileSync(databaseOf(lab), 'hex') : '').toBe(before);
  },
  TIMEOUT_MS,
);

test(
  'a lease database that is locked for long: all else goes, and the lease the next time',
  async () => {
    await using lab = await killedLab();
    const node = lab.node(1);
    const holder = new Database(databaseOf(lab));
    holder.run('BEGIN IMMEDIATE');
    const { status, lines } = cleanUp(lab, node);
    holder.run('ROLLBACK');
    holder.close();
    expect(status).toBe(3);
    expect(lines.filter((line) => line.startsWith('✗'))).toEqual([
      expect.stringContaining('locked by another process'),
    ]);
    expect(readOverlay(node)).toEqual(NOTHING);
    expect(readLeases(lab).length).toBe(3);
    expect(cleanUp(lab, node).status).toBe(0);
    expect(readLeases(lab).length).toBe(2);
  },
  TIMEOUT_MS,
);

test(
  'a state directory that is damaged, and files that were half-written, go too',
  async () => {
    await using lab = await killedLab();
    const node = lab.node(1);
    const at = (name: string) => join(directoryOf(lab, node), name);
    writeFileSync(at('state/node.json'), '{"version":1,"links":["../../etc/passwd"]}');
    writeFileSync(at('state/node.json.corrupt'), '');
    writeFileSync(at('state/node.json.4711.tmp'), '');
    writeFileSync(at('subnet.env.4711.tmp'), '');
    expect(cleanUp(lab, node).status).toBe(0);
    expect(readOverlay(node)).toEqual(NOTHING);
    expect(isGone(lab, node, 'state', 'subnet.env', 'subnet.env.4711.tmp')).toBe(true);
  },
  TIMEOUT_MS,
);

test(
  'a file that cannot be removed is named, and what is needed to try again is kept',
  async () => {
    await using lab = await killedLab();
    const node = lab.node(1);
    const directory = directoryOf(lab, node);
    node.run('mount', '--bind', directory, directory);
    node.run('mount', '-o', 'remount,bind,ro', directory);
    const { status, lines } = cleanUp(lab, node);
    node.run('umount', directory);
    expect(status).toBe(3);
    const failures = lines.filter((line) => line.startsWith('✗'));
    expect(failures[0]).toMatch(/^✗ rm .*subnet\.env: EROFS/);
    expect(failures.slice(1).every((line) => line.endsWith('kept so that this can be run again'))).toBe(true);
    expect(readOverlay(node)).toEqual(NOTHING);
    expect(cleanUp(lab, node).status).toBe(0);
    expect(isGone(lab, node, 'state', 'subnet.env', 'agent.sock')).toBe(true);
  },
  TIMEOUT_MS,
);

test.each(BACKENDS)(
  '$type: with another node name than the agent had, the lease that looks like its own is pointed out',
  async ({ type }) => {
    await using lab = await killedLab(type);
    const node = lab.node(1);
    const { status, lines } = cleanUp(lab, node, { before: ['env', 'NODE_NAME=pi'] });
    expect(status).toBe(3);
    expect(lines.filter((line) => line.includes('of node node-1: node pi has none'))).toEqual([
      expect.stringContaining('run this again with NODE_NAME=node-1'),
    ]);
    expect(readOverlay(node)).toEqual(NOTHING);
    expect(cleanUp(lab, node).status).toBe(0);
    expect(readLeases(lab).length).toBe(2);
  },
  TIMEOUT_MS,
);
