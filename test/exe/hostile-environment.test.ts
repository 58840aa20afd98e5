/**
 * The executable is not a script host: what Bun's own environment variables ask for does not happen. Each
 * case is tried on a program of the plain runtime too, where it must have its effect.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEAF_TO } from '../../arm/harden.ts';
import { buildPlain, EXECUTABLE, makeScratch, PLAIN_BODY, PLAIN_OUTPUT, runProgram } from './executable.ts';

const TEST_TIMEOUT_MS = 30_000;

/** A program that ends at once may be done before Bun has opened a file for its dump: one time in six. */
const ATTEMPTS = 10;

/** What a case may use; all of it is below one scratch directory. */
interface Bait {
  /** A script that writes {@link marker}. */
  readonly script: string;
  /** A file that replaces the body of the plain program's function (JavaScriptCore's `functionOverrides`). */
  readonly overrides: string;
  /** A file that is there only if a trick worked. */
  readonly marker: string;
  /** A directory that is empty unless a trick worked. */
  readonly drop: string;
}

interface Trick {
  readonly env: (bait: Bait) => Record<string, string>;
  /** The executable may refuse to run instead, as it does for a JavaScriptCore option that it does not know. */
  readonly refused?: true;
  /** Has no effect on a plain executable either. */
  readonly harmless?: true;
}

const TRICKS: Readonly<Record<string, Trick>> = {
  'BUN_OPTIONS preloads a script': { env: ({ script }) => ({ BUN_OPTIONS: `--preload=${script}` }) },
  'BUN_OPTIONS writes a profile': {
    env: ({ drop }) => ({ BUN_OPTIONS: `--cpu-prof --cpu-prof-dir=${drop}` }),
  },
  'BUN_BE_BUN makes it Bun': { env: () => ({ BUN_BE_BUN: '1' }) },
  'BUN_INSPECT waits for a debugger': { env: () => ({ BUN_INSPECT: 'ws://127.0.0.1:0/x?wait=1' }) },
  'BUN_INSPECT_CONNECT_TO and BUN_INSPECT_PRELOAD': {
    env: ({ script, drop }) => ({
      BUN_INSPECT_CONNECT_TO: `unix://${drop}/socket`,
      BUN_INSPECT_PRELOAD: script,
    }),
    harmless: true,
  },
  'BUN_BYTECODE_ORDER_OUT writes a file': { env: ({ marker }) => ({ BUN_BYTECODE_ORDER_OUT: marker }) },
  'BUN_BYTECODE_DIGEST_OUT writes a file': { env: ({ marker }) => ({ BUN_BYTECODE_DIGEST_OUT: marker }) },
  'NODE_OPTIONS requires a script': {
    env: ({ script }) => ({ NODE_OPTIONS: `--require=${script}` }),
    harmless: true,
  },
  'BUN_JSC_functionOverrides replaces code': {
    env: ({ overrides }) => ({ BUN_JSC_functionOverrides: overrides }),
    refused: true,
  },
  'BUN_JSC_useJITDump writes a file': {
    env: ({ drop }) => ({ BUN_JSC_useJITDump: '1', BUN_JSC_jitDumpDirectory: drop }),
    refused: true,
  },
  'BUN_JSC_samplingProfilerPath writes a file': {
    env: ({ drop }) => ({ BUN_JSC_useSamplingProfiler: '1', BUN_JSC_samplingProfilerPath: drop }),
    refused: true,
  },
};

const scratch = makeScratch();
let plain = '';

beforeAll(async () => {
  plain = await buildPlain(scratch.path);
}, TEST_TIMEOUT_MS);

afterAll(() => scratch[Symbol.dispose]());

function makeBait(directory: string): Bait {
  const bait = {
    script: join(directory, 'script.js'),
    overrides: join(directory, 'overrides'),
    marker: join(directory, 'marker'),
    drop: join(directory, 'drop'),
  };
  writeFileSync(bait.script, `require('node:fs').writeFileSync(${JSON.stringify(bait.marker)}, '');`);
  writeFileSync(bait.overrides, `override %{${PLAIN_BODY}}%\nwith %{console.log("something else")}%\n`);
  Bun.spawnSync(['mkdir', bait.drop]);
  return bait;
}

/** Runs a command under a trick and says what it left behind. */
function fallFor(trick: Trick, command: readonly string[]) {
  using directory = makeScratch();
  const bait = makeBait(directory.path);
  const outcome = runProgram(command, { cwd: directory.path, env: trick.env(bait) });
  return { ...outcome, traces: [...readdirSync(bait.drop), ...(existsSync(bait.marker) ? ['marker'] : [])] };
}

describe.each(Object.entries(TRICKS))('%s', (_, trick) => {
  test(
    'flannelette is deaf to it',
    () => {
      const untouched = runProgram([EXECUTABLE, 'version'], { cwd: '/' });
      expect(untouched.status).toBe(0);
      const tricked = fallFor(trick, [EXECUTABLE, 'version']);
      expect(tricked.traces).toEqual([]);
      if (trick.refused === undefined) expect(tricked).toMatchObject(untouched);
      else expect(tricked).toMatchObject({ status: 1, stdout: '' });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    'a plain executable is not',
    () => {
      const moved = Array.from({ length: trick.harmless ? 1 : ATTEMPTS }).some(() => {
        const { status, stdout, traces } = fallFor(trick, [plain]);
        return status !== 0 || stdout !== PLAIN_OUTPUT || traces.length > 0;
      });
      expect(moved).toBe(trick.harmless !== true);
    },
    TEST_TIMEOUT_MS,
  );
});

test('nothing remains of the names in the executable', async () => {
  const image = Buffer.from(await Bun.file(EXECUTABLE).arrayBuffer());
  const heard = DEAF_TO.map((variable) =>
    'name' in variable ? variable.name : `JSC_${variable.jscOption}`,
  ).filter((name) => image.includes(`\0${name}\0`, 0, 'latin1'));
  expect(heard).toEqual([]);
});
