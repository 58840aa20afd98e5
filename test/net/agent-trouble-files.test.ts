import { expect, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readSubnetEnv, subnetEnvText, vxlanOverlay } from './agent-expected.ts';
import { readOverlay } from './agent-overlay.ts';
import { buryLease, leaseOf, readLeases } from './agent-store.ts';
import {
  changeNetConf,
  expectOverlay,
  expectPodsTalk,
  expectTrouble,
  JSON_LOG,
  TIMEOUT_MS,
} from './agent-support.ts';
import { createLab, type Lab, type LabNode } from './lab.ts';

async function expectRecovery(lab: Lab, node: LabNode): Promise<void> {
  await node.agent.ready();
  expect(readOverlay(node)).toEqual(vxlanOverlay(lab, node));
}

function block(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'in the way\n');
}

test(
  'a state directory that cannot be written is no reason to wait with the network',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const node = lab.node(1);
    const state = join(lab.directory, node.name, 'state');
    block(state);
    for (const each of lab.nodes) each.start(JSON_LOG);
    await expectTrouble(node, 'state-unwritable', state);
    await lab.settled();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    rmSync(state);
    await expectRecovery(lab, node);
    expect(existsSync(join(state, 'node.json'))).toBe(true);
  },
  TIMEOUT_MS,
);

test(
  'a subnet file that cannot be written is written when it can be',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const file = join(lab.directory, node.name, 'subnet.env');
    mkdirSync(join(file, 'sub'), { recursive: true });
    node.start(JSON_LOG);
    await expectTrouble(node, 'file-unwritable', file);
    rmSync(file, { recursive: true });
    await expectRecovery(lab, node);
    expect(readSubnetEnv(node)).toBe(subnetEnvText(leaseOf(lab, node), 1430));
  },
  TIMEOUT_MS,
);

test(
  'the directory of the lease database is made',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const file = join(lab.directory, 'a/new/place.db');
    await node.start({ arguments: ['--lease-db', file] }).ready();
    expect(existsSync(file)).toBe(true);
    expect(node.run('stat', '-c', '%a', file, dirname(file))).toBe('600\n700\n');
  },
  TIMEOUT_MS,
);

test(
  'a lease database that is a directory is waited for',
  async () => {
    await using lab = await createLab({ nodes: 1 });
    const node = lab.node(1);
    const file = join(lab.directory, 'leases.db');
    mkdirSync(file);
    node.start(JSON_LOG);
    await expectTrouble(node, 'store-unavailable', file);
    rmSync(file, { recursive: true });
    await expectRecovery(lab, node);
  },
  TIMEOUT_MS,
);

test(
  'a damaged lease database is left alone and waited for; pods go on talking',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    const [node, other] = [lab.node(1), lab.node(2)];
    const before = [readSubnetEnv(node), readSubnetEnv(other)];
    await node.stop();
    await other.stop();
    const file = join(lab.directory, 'leases.db');
    for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
    writeFileSync(file, 'This is no database. '.repeat(1000));
    node.start(JSON_LOG);
    await expectTrouble(node, 'store-corrupt', file);
    await expectPodsTalk(pods);
    expect(readFileSync(file, 'utf8')).toStartWith('This is no database.');
    rmSync(file);
    other.start(JSON_LOG);
    for (const each of lab.nodes) await expectRecovery(lab, each);
    expect([readSubnetEnv(node), readSubnetEnv(other)]).toEqual(before);
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test(
  'a node for which no subnet is left gets one when another gives its own up',
  async () => {
    await using lab = await createLab({ nodes: 2, families: [4] });
    changeNetConf(lab, { SubnetMin: '10.42.7.0', SubnetMax: '10.42.7.0' });
    const [first, second] = [lab.node(1), lab.node(2)];
    await first.start(JSON_LOG).ready();
    second.start(JSON_LOG);
    await expectTrouble(second, 'no-lease-free', '10.42.7.0/24');
    expect(readOverlay(second).links).toEqual([]);
    await first.stop();
    buryLease(lab, first);
    await expectRecovery(lab, second);
    expect(readLeases(lab).map(({ node }) => node)).toEqual([second.name]);
  },
  TIMEOUT_MS,
);
