import { expect, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FILE_LIMIT_REMEDY } from '../../src/model/problem.ts';
import { subnetEnvText, vxlanOverlay } from './agent-expected.ts';
import { leaseOf } from './agent-store.ts';
import {
  eventually,
  expectOverlay,
  expectPodsTalk,
  expectTrouble,
  JSON_LOG,
  readLog,
  reasonsOf,
  TIMEOUT_MS,
} from './agent-support.ts';
import { createLab, EXECUTABLE, type Lab, LabNode } from './lab.ts';

/** A file system of its own in the test's mount namespace. */
class Disk implements Disposable {
  readonly path: string;

  constructor(path: string, options: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    mount('-t', 'tmpfs', '-o', options, 'tmpfs', path);
  }

  remount(options: string): void {
    mount('-o', `remount,bind,${options}`, this.path);
  }

  [Symbol.dispose](): void {
    Bun.spawnSync(['umount', '-l', this.path]);
  }
}

function mount(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(['mount', ...args], { stderr: 'pipe' });
  if (exitCode !== 0) throw new Error(stderr.toString());
}

/** What of the agent lies on the disk. */
function onDisk({ path }: Disk) {
  return {
    arguments: [...JSON_LOG.arguments, `--state-dir=${path}/state`, `--subnet-file=${path}/subnet.env`],
  };
}

async function expectWhole(lab: Lab, node: LabNode, { path }: Disk): Promise<void> {
  await eventually(async () => expect(await reasonsOf(node)).toMatchObject({ status: 200, codes: [] }));
  await expectOverlay(node, () => vxlanOverlay(lab, node));
  expect(readFileSync(join(path, 'subnet.env'), 'utf8')).toBe(subnetEnvText(leaseOf(lab, node), 1430));
  expect(JSON.parse(readFileSync(join(path, 'state/node.json'), 'utf8'))).toMatchObject({ version: 1 });
}

test(
  'a full disk is waited for, and the network does not wait with it',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const node = lab.node(1);
    using disk = new Disk(join(lab.directory, 'disk'), 'size=16k');
    writeFileSync(join(disk.path, 'filler'), 'x'.repeat(16 * 1024));
    node.start(onDisk(disk));
    await lab.node(2).start().ready();
    for (const code of ['state-unwritable', 'file-unwritable']) await expectTrouble(node, code, 'ENOSPC');
    await lab.settled();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    // Not even half of the file is there.
    expect(existsSync(join(disk.path, 'subnet.env'))).toBe(false);
    rmSync(join(disk.path, 'filler'));
    await expectWhole(lab, node, disk);
  },
  TIMEOUT_MS,
);

test(
  'a disk that has become read-only is waited for, and pods go on talking',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    const node = lab.node(1);
    using disk = new Disk(join(lab.directory, 'disk'), 'size=1m');
    await lab.node(2).start().ready();
    node.start(onDisk(disk));
    await expectWhole(lab, node, disk);
    const subnets = { before: readFileSync(join(disk.path, 'subnet.env'), 'utf8') };
    await node.stop();
    rmSync(join(disk.path, 'subnet.env'));
    rmSync(join(disk.path, 'state'), { recursive: true });
    disk.remount('ro');
    node.start(onDisk(disk));
    for (const code of ['state-unwritable', 'file-unwritable']) await expectTrouble(node, code, 'EROFS');
    await lab.settled();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
    disk.remount('rw');
    await expectWhole(lab, node, disk);
    expect(readFileSync(join(disk.path, 'subnet.env'), 'utf8')).toBe(subnets.before);
  },
  TIMEOUT_MS,
);

test(
  'garbage in subnet.env and in the state file is put right, and pods keep their subnets',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const pods = await lab.addPods();
    const node = lab.node(1);
    const file = join(node.agent.directory, 'subnet.env');
    const state = join(node.agent.directory, 'state/node.json');
    const before = [file, state].map((path) => readFileSync(path, 'utf8'));
    for (const garbage of [
      '',
      'FLANNEL_SUBNET=999.1.2.3/99\n',
      '\0'.repeat(4096),
      '{"version":1,"links":["eth0"]}',
    ]) {
      await node.stop();
      writeFileSync(file, garbage);
      writeFileSync(state, garbage);
      await node.start(JSON_LOG).ready();
      expect([file, state].map((path) => readFileSync(path, 'utf8'))).toEqual(before);
    }
    expect(existsSync(`${state}.corrupt`)).toBe(true);
    expect(readLog(node.agent).filter(({ msg }) => msg === 'State file set aside').length).toBe(4);
    expect(node.ip('link', 'show', 'eth0').length).toBe(1);
    await expectPodsTalk(pods);
  },
  TIMEOUT_MS,
);

test.each([6, 8, 11, 13])(
  'an agent that may open no more than %p files at its start lives, and says so',
  async (limit) => {
    await using lab = await createLab({ nodes: 1 });
    const command = [
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      'prlimit',
      `--nofile=${limit}:${limit}`,
      EXECUTABLE,
    ];
    await using node = new LabNode(lab.node(1).space, { ...lab.site, command });
    node.start(JSON_LOG);
    const told = await eventually(() => {
      const lines = readLog(node.agent).filter(({ msg }) => /EMFILE|CANTOPEN/.test(msg));
      expect(lines.length).toBeGreaterThan(0);
      return lines;
    });
    for (const { msg, code, remedy } of told)
      if (code !== undefined && msg.includes('EMFILE')) expect(remedy).toBe(FILE_LIMIT_REMEDY);
    expect(node.running).toBe(true);
    await Bun.sleep(500);
    expect(node.running).toBe(true);
    expect(await node.stop()).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  'an agent that may open no more files tells what it cannot do, and does it when it may',
  async () => {
    await using lab = await createLab({ nodes: 2 });
    await lab.startAll(JSON_LOG);
    const node = lab.node(1);
    // Only the soft limit: to raise the other again takes a privilege that a container's root does not have.
    const limit = (files: number) =>
      Bun.spawnSync(['prlimit', '--pid', String(node.agent.pid), `--nofile=${files}:`]).exitCode;
    const before = Number(
      /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${node.agent.pid}/limits`, 'utf8'))?.[1],
    );
    expect(limit(6)).toBe(0);
    node.run('ip', 'link', 'delete', 'flannel.1');
    const told = () => readLog(node.agent).filter(({ msg }) => msg.includes('EMFILE'));
    await eventually(() => expect(told().length).toBeGreaterThan(0));
    expect(told()[0]).toMatchObject({ code: 'file-unwritable', remedy: FILE_LIMIT_REMEDY });
    expect(node.running).toBe(true);
    expect(limit(before)).toBe(0);
    await node.agent.ready();
    await expectOverlay(node, () => vxlanOverlay(lab, node));
  },
  TIMEOUT_MS,
);
