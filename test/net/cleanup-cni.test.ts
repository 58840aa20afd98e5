/** Taking the CNI plugin back: what was there before comes back, and what is not ours stays. @module */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { ASIDE, CniNode, CONFLIST, NAMES } from './agent-cni-support.ts';
import { TIMEOUT_MS } from './agent-support.ts';
import { type CleanupOutcome, cleanUp } from './cleanup-support.ts';
import { EXECUTABLE } from './lab.ts';

let cni: CniNode;

beforeAll(async () => {
  cni = await CniNode.make();
});

afterAll(() => cni[Symbol.asyncDispose]());

beforeEach(() => cni.clear());

/** Starts the agent, waits until it has installed everything, and kills it. */
async function runOnce(...flags: readonly string[]): Promise<void> {
  cni.start(...flags);
  await cni.node.agent.ready();
  await cni.installed();
  await cni.node.kill();
}

function clean(...flags: readonly string[]): CleanupOutcome {
  return cleanUp(cni.lab, cni.node, { flags: [...cni.flags, ...flags] });
}

/** Everything in the two directories, with its content. */
function contents(): Record<string, string> {
  const entries = ['bin', 'conf'].flatMap((folder) =>
    readdirSync(cni.at(folder)).map((name) => [
      `${folder}/${name}`,
      readFileSync(cni.at(folder, name), 'latin1'),
    ]),
  );
  return Object.fromEntries(entries.sort());
}

test(
  'a cleanup takes back all that was installed, and a second has nothing to do',
  async () => {
    await runOnce();
    const before = Object.keys(contents());
    const dry = clean('--dry-run');
    expect(dry.lines).toContain(`rm ${cni.at('conf', CONFLIST)}`);
    for (const name of NAMES) expect(dry.lines).toContain(`rm ${cni.at('bin', name)}`);
    expect(Object.keys(contents())).toEqual(before);
    expect(clean('--install-cni=false', '--dry-run').stdout).not.toContain(cni.at('bin'));
    const { status, lines } = clean();
    expect({ status, first: lines[0] }).toEqual({ status: 0, first: `✓ rm ${cni.at('conf', CONFLIST)}` });
    expect(contents()).toEqual({});
    expect(existsSync(cni.at('node-1/state'))).toBe(false);
    expect(clean().lines).toContain('Nothing to remove');
  },
  TIMEOUT_MS,
);

test(
  'what was set aside comes back, also where ours is gone by now; other plugins were never touched',
  async () => {
    for (const name of ['bin', 'conf']) mkdirSync(cni.at(name));
    writeFileSync(cni.at('conf', CONFLIST), '{"name":"cbr0","plugins":[{"type":"flannel"}]}');
    for (const name of ['portmap', 'loopback', 'bridge', 'host-local'])
      writeFileSync(cni.at('bin', name), `the reference ${name}`);
    const before = contents();
    await runOnce();
    rmSync(cni.at('bin', 'loopback'));
    const { steps } = JSON.parse(clean('--json').stdout);
    const restored = steps.filter(({ kind }: { kind: string }) => kind === 'restore');
    expect(restored.map(({ outcome }: { outcome: string }) => outcome)).toEqual(Array(3).fill('restored'));
    expect(contents()).toEqual(before);
  },
  TIMEOUT_MS,
);

test(
  'what somebody else has put there since stays, and so does what the operator has put there',
  async () => {
    mkdirSync(cni.at('bin'));
    symlinkSync(EXECUTABLE, cni.at('bin', 'flannelette'));
    writeFileSync(cni.at('bin', 'portmap'), 'the reference');
    const given = cni.at('given.json');
    writeFileSync(given, '{"name":"cbr0","plugins":[{"type":"flannel"}]}');
    await runOnce('--cni-conf-file', given);
    rmSync(cni.at('bin', 'portmap'));
    writeFileSync(cni.at('bin', 'portmap'), 'a newer reference');
    const { status, stdout } = clean();
    expect(status).toBe(0);
    expect(Object.keys(contents())).toEqual(['bin/flannelette', 'bin/portmap', `bin/portmap${ASIDE}`]);
    expect(stdout).toContain(`${cni.at('bin', 'portmap')}${ASIDE}: it was set aside from`);
    expect(stdout).toContain(`rm ${cni.at('bin', 'flannelette')}`);
    expect(readFileSync(cni.at('bin', 'portmap'), 'utf8')).toBe('a newer reference');
  },
  TIMEOUT_MS,
);

test(
  'without a state directory the conflist and the links are known by themselves, the program may be ours, and half a copy goes',
  async () => {
    mkdirSync(cni.at('bin'));
    copyFileSync(EXECUTABLE, cni.at('bin', 'flannelette'));
    await runOnce();
    rmSync(cni.at('node-1/state'), { recursive: true });
    writeFileSync(cni.at('bin', '.flannelette.flannelette.tmp'), 'half of it');
    const { status, stdout } = clean();
    expect({ status, names: Object.keys(contents()) }).toEqual({ status: 3, names: ['bin/flannelette'] });
    expect(stdout).toContain("perhaps flannelette's");
  },
  TIMEOUT_MS,
);
