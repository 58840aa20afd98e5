/** The agent installs itself as the node's CNI plugin, and keeps it there. @module */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { ASIDE, CniNode, CONFLIST, NAMES } from './agent-cni-support.ts';
import { eventually, readLog, reasonsOf, TIMEOUT_MS } from './agent-support.ts';
import { EXECUTABLE } from './lab.ts';

let cni: CniNode;

beforeAll(async () => {
  cni = await CniNode.make();
});

afterAll(() => cni[Symbol.asyncDispose]());

beforeEach(() => cni.clear());

/** What would change if anything were written again. */
function marks(): string[] {
  const paths = [
    ...NAMES.map((name) => cni.at('bin', name)),
    cni.at('conf', CONFLIST),
    cni.at('node-1/state/cni.json'),
  ];
  return paths.map((path) => {
    const { ino, mtimeMs } = lstatSync(path);
    return `${path} ${ino} ${mtimeMs}`;
  });
}

test(
  'the plugin and the conflist are installed once the node has a subnet, and nothing is written again',
  async () => {
    cni.start();
    await cni.node.agent.ready();
    await cni.installed();
    expect(JSON.parse(readFileSync(cni.at('conf', CONFLIST), 'utf8'))).toEqual({
      name: 'cbr0',
      cniVersion: '1.0.0',
      plugins: [
        {
          type: 'flannelette',
          delegate: { hairpinMode: true, forceAddress: true, isDefaultGateway: true },
          capabilities: { portMappings: true },
        },
      ],
    });
    expect((statSync(cni.at('conf', CONFLIST)).mode & 0o777).toString(8)).toBe('644');
    for (const name of NAMES.filter((each) => each !== 'flannelette'))
      expect(readlinkSync(cni.at('bin', name))).toBe('flannelette');
    expect(cni.version('flannel')).toMatchObject({ cniVersion: '1.1.0' });
    const order = readLog(cni.node.agent)
      .filter(({ msg }) => msg === 'Installed for CNI')
      .map(({ object }) => object?.slice(object.lastIndexOf('/') + 1));
    expect(order).toEqual(['flannelette', 'flannel', 'portmap', 'loopback', CONFLIST]);
    expect((await reasonsOf(cni.node)).codes).toEqual([]);
    const before = marks();
    await cni.node.kill();
    expect(marks()).toEqual(before);
    cni.start();
    await cni.node.agent.ready();
    await Bun.sleep(300);
    expect(marks()).toEqual(before);
    expect(readdirSync(cni.at('bin')).sort()).toEqual(NAMES);
  },
  TIMEOUT_MS,
);

test(
  'what others change or delete is put right, and a plugin that comes is chained',
  async () => {
    cni.start();
    await cni.installed();
    rmSync(cni.at('conf', CONFLIST));
    await cni.installed();
    writeFileSync(cni.at('conf', CONFLIST), '{"name":"cbr0","plugins":[{"type":"flannelette"}]}');
    await eventually(() => expect(readFileSync(cni.at('conf', CONFLIST), 'utf8')).toContain('portMappings'));
    // An edit of ours is not what was there before.
    await eventually(() => expect(readdirSync(cni.at('conf'))).toEqual([CONFLIST]));
    for (const name of NAMES) rmSync(cni.at('bin', name));
    await cni.installed();
    rmSync(cni.at('conf'), { recursive: true });
    await cni.installed();
    writeFileSync(cni.at('bin', 'bandwidth'), '#!/bin/sh\n', { mode: 0o755 });
    await eventually(() => expect(cni.types()).toEqual(['flannelette', 'bandwidth']));
    rmSync(cni.at('bin', 'bandwidth'));
    await eventually(() => expect(cni.types()).toEqual(['flannelette']));
    const repaired = readLog(cni.node.agent).filter(({ msg }) => msg === 'Repaired');
    expect(repaired.some(({ object }) => object?.endsWith(CONFLIST))).toBe(true);
  },
  TIMEOUT_MS,
);

test(
  'foreign files of our names are set aside, also when they come later; other plugins are not touched',
  async () => {
    for (const name of ['bin', 'conf']) mkdirSync(cni.at(name));
    writeFileSync(cni.at('conf', CONFLIST), '{"name":"cbr0","plugins":[{"type":"flannel"}]}');
    writeFileSync(cni.at('bin', 'portmap'), 'the reference');
    writeFileSync(cni.at('bin', 'bridge'), 'the reference');
    symlinkSync('bridge', cni.at('bin', 'loopback'));
    cni.start();
    await cni.installed();
    const aside = (...names: [string, string]) => readFileSync(`${cni.at(...names)}${ASIDE}`, 'utf8');
    await eventually(() => expect(cni.types()).toEqual(['flannelette']));
    expect(aside('conf', CONFLIST)).toContain('"flannel"');
    expect(aside('bin', 'portmap')).toBe('the reference');
    expect(readlinkSync(`${cni.at('bin', 'loopback')}${ASIDE}`)).toBe('bridge');
    expect(readFileSync(cni.at('bin', 'bridge'), 'utf8')).toBe('the reference');
    // A package is upgraded.
    writeFileSync(cni.at('bin', '.new'), 'a newer reference');
    renameSync(cni.at('bin', '.new'), cni.at('bin', 'portmap'));
    await eventually(() => expect(aside('bin', 'portmap')).toBe('a newer reference'));
    await eventually(() => expect(readlinkSync(cni.at('bin', 'portmap'))).toBe('flannelette'));
    expect(readdirSync(cni.at('bin')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  'another version is replaced while it runs; an equal copy, and a link to the executable, are left as they are',
  async () => {
    mkdirSync(cni.at('bin'));
    copyFileSync('/bin/sleep', cni.at('bin', 'flannelette'));
    const running = Bun.spawn([cni.at('bin', 'flannelette'), '60']);
    try {
      cni.start();
      await cni.installed();
      await eventually(() => expect(cni.version('flannelette')).toMatchObject({ cniVersion: '1.1.0' }));
      expect(running.exitCode).toBe(null);
    } finally {
      running.kill();
    }
    for (const make of [
      () => copyFileSync(EXECUTABLE, cni.at('bin', 'flannelette')),
      () => symlinkSync(EXECUTABLE, cni.at('bin', 'flannelette')),
    ]) {
      await cni.clear();
      mkdirSync(cni.at('bin'));
      make();
      const before = lstatSync(cni.at('bin', 'flannelette')).ino;
      cni.start();
      await cni.installed();
      expect(lstatSync(cni.at('bin', 'flannelette')).ino).toBe(before);
      expect(cni.version('loopback')).toMatchObject({ cniVersion: '1.1.0' });
    }
  },
  TIMEOUT_MS,
);
