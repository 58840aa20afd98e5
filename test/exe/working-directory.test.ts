/**
 * The executable needs no file but itself, and takes no settings from the directory it is started in.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXECUTABLE, makeScratch, runProgram } from './executable.ts';

const TEST_TIMEOUT_MS = 30_000;

/** Commands that end at once, and whose output depends on settings. */
const REFUSED = ['run', '--lease-db=/nowhere/leases.db', '--net-config-path=/nowhere/net-conf.json'];
const COMMANDS = [['version'], ['help'], REFUSED];

/** Bad enough to be refused, where it is heard. */
const BAD_SETTING = { FLANNELD_HEALTHZ_PORT: 'not a port' };

test(
  'version prints the version where nothing but the executable is',
  () => {
    using directory = makeScratch();
    const copy = join(directory.path, 'flannelette');
    copyFileSync(EXECUTABLE, copy);
    const outcome = runProgram([copy, 'version'], { cwd: directory.path });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(outcome.stdout).toMatch(/^flannelette \d+\.\d+\.\d+\S* /);
    expect(readdirSync(directory.path)).toEqual(['flannelette']);
  },
  TEST_TIMEOUT_MS,
);

test(
  'a hostile working directory changes nothing',
  () => {
    using empty = makeScratch();
    using hostile = makeScratch();
    const script = "require('node:fs').writeFileSync('marker', '');\nconsole.log('something else');\n";
    const files: Readonly<Record<string, string>> = {
      '.env': Object.entries(BAD_SETTING).map(([name, value]) => `${name}="${value}"\n`)[0] ?? '',
      '.env.production': 'BUN_OPTIONS=--preload=./script.js\n',
      'bunfig.toml': 'preload = ["./script.js"]\nlogLevel = "debug"\n',
      'package.json': JSON.stringify({ name: 'x', type: 'commonjs', imports: { '#x': './script.js' } }),
      'tsconfig.json': JSON.stringify({ compilerOptions: { paths: { '*': ['./script.js'] } } }),
      'script.js': script,
      'index.js': script,
      version: script,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(hostile.path, name), text);
    for (const command of COMMANDS) {
      const here = runProgram([EXECUTABLE, ...command], { cwd: hostile.path });
      expect(here).toEqual(runProgram([EXECUTABLE, ...command], { cwd: empty.path }));
      expect(here.status).toBe(command[0] === 'run' ? 1 : 0);
    }
    expect(readdirSync(hostile.path).sort()).toEqual(Object.keys(files).sort());
  },
  TEST_TIMEOUT_MS,
);

test(
  'the same setting in the environment is heard',
  () => {
    using directory = makeScratch();
    const command = [EXECUTABLE, ...REFUSED];
    const told = runProgram(command, { cwd: directory.path, env: BAD_SETTING });
    expect(told.status).toBe(1);
    expect(told.stderr).not.toBe(runProgram(command, { cwd: directory.path }).stderr);
  },
  TEST_TIMEOUT_MS,
);
