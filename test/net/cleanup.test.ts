import { expect, test } from 'bun:test';
import { existsSync, readFileSync, rmSync } from 'node:fs';
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

/** A lab whose first node is as it was before anything of ours came to it, but for what was planted. */
async function plantedLab(type: string): Promise<{ lab: Lab; node: LabNode }> {
  const lab = await createLab({ nodes: 3, backend: { Type: type } });
  const node = lab.node(1);
  plantForeign(lab, node);
  return { lab, node };
}

test.each(BACKENDS)(
  '$type: a cleanup after kill -9 leaves the node as it was before the agent, to the byte',
  async ({ type, overlay }) => {
    const { lab, node } = await plantedLab(type);
    await using _ = lab;
    const before = wholeNode(lab, node);
    await lab.startAll();
    await node.kill();
    const { status, lines, stderr } = cleanUp(lab, node);
    expect({ status, stderr, failures: lines.filter((line) => line.startsWith('✗')) }).toEqual({
      status: 0,
      stderr: '',
      failures: [],
    });
    expect(lines.at(-1)).toMatch(/^Removed \d+ from node node-1; nothing of flannelette is left$/);
    expect(wholeNode(lab, node)).toEqual(before);
    expect(readLeases(lab).map(({ node: name }) => name)).toEqual(['node-2', 'node-3']);
    // The others have heard of it, and know each other as before.
    for (const other of [lab.node(2), lab.node(3)]) {
      await expectOverlay(other, () => overlay(lab, other));
    }
    const again = cleanUp(lab, node);
    expect({ status: again.status, said: again.lines.at(-1) }).toEqual({
      status: 0,
      said: 'Nothing to remove',
    });
    expect(wholeNode(lab, node)).toEqual(before);
  },
  TIMEOUT_MS,
);

test.each(BACKENDS)(
  '$type: a dry run changes nothing, and a shell can do what it prints',
  async ({ type }) => {
    const { lab, node } = await plantedLab(type);
    await using _ = lab;
    const before = wholeNode(lab, node);
    await lab.startAll();
    await node.kill();
    const database = join(lab.directory, 'leases.db');
    const seen = () => ({ ...wholeNode(lab, node), database: readFileSync(database, 'hex') });
    const running = seen();
    const { status, stdout, lines } = cleanUp(lab, node, { flags: ['--dry-run'] });
    expect(status).toBe(0);
    expect(seen()).toEqual(running);
    const removes = lines.filter((line) => !line.startsWith('#'));
    expect(lines.filter((line) => line.startsWith('# the lease ')).length).toBe(1);
    node.run('sh', '-ec', stdout);
    expect(wholeNode(lab, node)).toEqual(before);
    // The lease is all that a shell cannot do.
    expect(cleanUp(lab, node).lines.filter((line) => line.startsWith('✓')).length).toBe(1);
    expect(removes.length).toBeGreaterThan(4);
  },
  TIMEOUT_MS,
);

test(
  'what a dry run announces is what is done, for people and for programs',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll();
    const node = lab.node(1);
    await node.kill();
    const planned = cleanUp(lab, node, { flags: ['--dry-run'] }).lines;
    const json = cleanUp(lab, node, { flags: ['--dry-run', '--json'] });
    const announced: unknown = JSON.parse(json.stdout);
    const done: unknown = JSON.parse(cleanUp(lab, node, { flags: ['--json'] }).stdout);
    expect(JSON.stringify(done).replaceAll('"removed"', '"planned"')).toBe(
      JSON.stringify(announced).replace('"dryRun":true', '"dryRun":false'),
    );
    for (const line of planned.filter((each) => !each.startsWith('#'))) expect(json.stdout).toContain(line);
    expect(existsSync(join(directoryOf(lab, node), 'state'))).toBe(false);
  },
  TIMEOUT_MS,
);

test(
  'the last lease: the database stays, and how to remove it is said',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    await lab.startAll();
    const node = lab.node(1);
    await node.kill();
    const { status, lines } = cleanUp(lab, node);
    expect(status).toBe(0);
    const database = join(lab.directory, 'leases.db');
    const hint = lines.find((line) => line.includes(`rm -f ${database} ${database}-wal`)) ?? '';
    expect(readLeases(lab)).toEqual([]);
    node.run('sh', '-ec', hint.slice(hint.indexOf('rm -f ')));
    expect(existsSync(database)).toBe(false);
    expect(cleanUp(lab, node).status).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  'after a cleanup an agent starts as on a new node',
  async () => {
    await using lab = await createLab({ nodes: 3 });
    await lab.startAll();
    const node = lab.node(1);
    await node.stop();
    expect(cleanUp(lab, node).status).toBe(0);
    expect(readOverlay(node).links).toEqual([]);
    rmSync(directoryOf(lab, node), { recursive: true });
    await node.start().ready();
    for (const each of lab.nodes) await expectOverlay(each, () => vxlanOverlay(lab, each));
  },
  TIMEOUT_MS,
);
