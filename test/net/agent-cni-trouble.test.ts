/** What can stand in the way of installing the CNI plugin: it is told, and the pod network is there all the same. @module */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { CniNode, CONFLIST, NAMES } from './agent-cni-support.ts';
import { eventually, TIMEOUT_MS } from './agent-support.ts';

let cni: CniNode;

beforeAll(async () => {
  cni = await CniNode.make();
});

afterAll(() => cni[Symbol.asyncDispose]());

beforeEach(() => cni.clear());

/** Waits until the agent, ready, tells of this one problem; gives back its words. */
async function told(code: string): Promise<string> {
  await cni.node.agent.ready();
  return await eventually(async () => {
    const { ready, problems } = (await cni.node.agent.status()) ?? { ready: false, problems: [] };
    expect({ ready, codes: problems.map((each) => each.code) }).toEqual({ ready: true, codes: [code] });
    return `${problems[0]?.message}. ${problems[0]?.remedy}`;
  });
}

async function untilUntroubled(): Promise<void> {
  await eventually(async () => expect((await cni.node.agent.status())?.problems).toEqual([]));
}

test(
  'a directory that cannot be made or written is told, nothing is written that names what is not there, and it is tried again',
  async () => {
    writeFileSync(cni.at('bin'), 'in the way');
    cni.start();
    expect(await told('cni-not-installed')).toContain(`Cannot install ${cni.at('bin')}/flannelette: E`);
    expect(existsSync(cni.at('conf'))).toBe(false);
    rmSync(cni.at('bin'));
    await cni.installed();
    await untilUntroubled();
  },
  TIMEOUT_MS,
);

test(
  'a directory that cannot even be looked at is told, and the agent lives',
  async () => {
    symlinkSync('bin', cni.at('bin'));
    cni.start();
    expect(await told('cni-not-installed')).toContain(`Cannot install ${cni.at('bin')}/flannelette: E`);
    rmSync(cni.at('bin'));
    await cni.installed();
    await untilUntroubled();
  },
  TIMEOUT_MS,
);

test.each([
  ['ro', 'EROFS'],
  ['noexec', 'noexec'],
  ['size=1m', 'ENOSPC'],
])(
  'a file system mounted %s is told as such, and leaves nothing half there',
  async (options, reason) => {
    mkdirSync(cni.at('bin'));
    expect(Bun.spawnSync(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', cni.at('bin')]).exitCode).toBe(0);
    try {
      cni.start();
      expect(await told('cni-not-installed')).toContain(reason);
      expect(readdirSync(cni.at('bin'))).toEqual([]);
      expect(existsSync(cni.at('conf', CONFLIST))).toBe(false);
      await cni.node.stop();
    } finally {
      Bun.spawnSync(['umount', '-l', cni.at('bin')]);
    }
  },
  TIMEOUT_MS,
);

test(
  'on another file system than the executable it is a copy, of which one is enough, and which nobody spoils for long',
  async () => {
    mkdirSync(cni.at('bin'));
    expect(Bun.spawnSync(['mount', '-t', 'tmpfs', 'tmpfs', cni.at('bin')]).exitCode).toBe(0);
    try {
      cni.start();
      await cni.installed();
      expect(readdirSync(cni.at('bin')).sort()).toEqual(NAMES);
      expect(cni.version('flannel')).toMatchObject({ cniVersion: '1.1.0' });
      await untilUntroubled();
      // As `cp` does, through the link.
      writeFileSync(cni.at('bin', 'flannel'), '#!/bin/sh\necho another\n');
      await eventually(() => expect(cni.version('flannelette')).toMatchObject({ cniVersion: '1.1.0' }));
      expect(readdirSync(cni.at('bin')).sort()).toEqual(NAMES);
      await cni.node.stop();
    } finally {
      Bun.spawnSync(['umount', '-l', cni.at('bin')]);
    }
  },
  TIMEOUT_MS,
);

test(
  'a configuration that comes before ours is named, until it is gone; one that comes after is none of our business',
  async () => {
    mkdirSync(cni.at('conf'));
    for (const name of ['05-cilium.conflist', '20-other.conf', '01-notes.txt'])
      writeFileSync(cni.at('conf', name), '{}');
    cni.start();
    const text = await told('cni-config-before');
    expect(text).toStartWith(`${cni.at('conf')}/05-cilium.conflist comes before ${CONFLIST}`);
    expect(text).toContain(`mv ${cni.at('conf')}/05-cilium.conflist`);
    rmSync(cni.at('conf', '05-cilium.conflist'));
    await untilUntroubled();
  },
  TIMEOUT_MS,
);

test(
  "an operator's conflist is installed as it is; a plugin of it that is not there is named",
  async () => {
    const given = '{"name": "cbr0",\n "plugins": [ {"type": "flannel"}, {"type": "tuning"} ] }';
    writeFileSync(cni.at('given.json'), given);
    cni.start('--cni-conf-file', cni.at('given.json'));
    expect(await told('cni-plugin-missing')).toContain(`names 'tuning', not found in ${cni.at('bin')}`);
    expect(readFileSync(cni.at('conf', CONFLIST), 'utf8')).toBe(given);
    writeFileSync(cni.at('bin', 'tuning'), '#!/bin/sh\n', { mode: 0o755 });
    await untilUntroubled();
    // Another one, with the next start, takes its place and is not taken for somebody else's.
    await cni.node.stop();
    cni.start();
    await eventually(() => expect(cni.types()).toEqual(['flannelette']));
    expect(readdirSync(cni.at('conf'))).toEqual([CONFLIST]);
  },
  TIMEOUT_MS,
);

test(
  'a program that undoes the installation again and again is named, and answered less often',
  async () => {
    cni.start();
    await cni.installed();
    const path = cni.at('conf', CONFLIST);
    const untilMs = Date.now() + 20_000;
    let codes: readonly string[] = [];
    while (!codes.includes('fight') && Date.now() < untilMs) {
      for (let i = 0; i < 20; i++) {
        if (existsSync(path)) rmSync(path, { force: true });
        await Bun.sleep(5);
      }
      codes = (await cni.node.agent.status())?.problems.map(({ code }) => code) ?? [];
    }
    expect(codes).toContain('fight');
    expect((await cni.node.agent.status())?.ready).toBe(true);
    await cni.installed();
  },
  TIMEOUT_MS,
);
