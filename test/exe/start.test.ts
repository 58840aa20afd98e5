/**
 * What each command loads: a command pays only for what it needs.
 *
 * @module
 */
import { beforeAll, expect, test } from 'bun:test';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLE } from '../../arm/bundle.ts';
import { EXECUTABLE, makeScratch, runProgram } from './executable.ts';

/** Of what the program is made, by the names of packages and of Bun's own modules. */
const PARTS = ['hono', 'valibot', '@kubernetes/client-node', 'bun:sqlite', 'bun:ffi'] as const;

/** By the file that `src/main.ts` imports for a command: the parts that come with it. */
const LOADED: Readonly<Record<string, readonly (typeof PARTS)[number][]>> = {
  'src/cli/version.ts': [],
  'src/config/help.ts': [],
  'src/cli/status.ts': ['valibot'],
  'src/cleanup/command.ts': ['valibot', 'bun:sqlite', 'bun:ffi'],
  'src/cli/demo/command.ts': ['valibot', 'bun:ffi'],
  'src/cni/plugin.ts': ['bun:ffi'],
  // The one that ends at once: 'src/run.ts' must not have what it costs.
  'src/store/kube/credentials-command.ts': ['valibot', '@kubernetes/client-node'],
  // The store's own parts come with the store that is used.
  'src/run.ts': ['hono', 'valibot', 'bun:ffi'],
};

/** What a container runtime or a prober may start many times a minute. */
const START_LIMIT_MS = 15;
const STARTS = 20;

let bundle: Bun.BuildMetafile;

beforeAll(async () => {
  const built = await Bun.build({ ...BUNDLE, entrypoints: [...BUNDLE.entrypoints], metafile: true });
  if (built.metafile === undefined) throw new Error('The bundler gave no metafile');
  bundle = built.metafile;
});

/** The source files that are loaded when `entry` is imported: those of its chunk, and of all that it needs. */
function filesLoaded(entry: string): string[] {
  const first = Object.keys(bundle.outputs).find((path) => bundle.outputs[path]?.entryPoint === entry);
  const waiting = first === undefined ? [] : [first];
  const chunks = new Set(waiting);
  for (let chunk = waiting.pop(); chunk !== undefined; chunk = waiting.pop()) {
    for (const { path, kind } of bundle.outputs[chunk]?.imports ?? []) {
      if (kind !== 'import-statement' || chunks.has(path)) continue;
      chunks.add(path);
      waiting.push(path);
    }
  }
  return [...chunks].flatMap((path) => Object.keys(bundle.outputs[path]?.inputs ?? {})).sort();
}

function partsLoaded(entry: string): string[] {
  const files = filesLoaded(entry);
  const modules = new Set(
    files.flatMap((file) => (bundle.inputs[file]?.imports ?? []).map(({ path }) => path)),
  );
  return PARTS.filter(
    (part) => modules.has(part) || files.some((file) => file.includes(`node_modules/${part}/`)),
  );
}

test('every command is loaded by itself, and nothing with the entry', () => {
  const imports = bundle.inputs['src/main.ts']?.imports ?? [];
  expect(imports.filter(({ kind }) => kind !== 'dynamic-import')).toEqual([]);
  expect(new Set(imports.map(({ entryPoint }) => entryPoint))).toEqual(new Set(Object.keys(LOADED)));
});

test.each(Object.entries(LOADED))('%s loads only the parts it needs', (entry, parts) => {
  expect(filesLoaded(entry)).toContain(entry);
  expect(partsLoaded(entry)).toEqual([...parts]);
});

test('version loads one file', () => {
  expect(filesLoaded('src/cli/version.ts')).toEqual(['src/cli/version.ts']);
});

test(`version starts in under ${START_LIMIT_MS} ms`, () => {
  const startMs = Array.from({ length: STARTS }, () => {
    const beganAtMs = performance.now();
    Bun.spawnSync([EXECUTABLE, 'version'], { stdin: 'ignore' });
    return performance.now() - beganAtMs;
  });
  // The quickest of many: what else the machine does only ever adds to it.
  expect(Math.min(...startMs)).toBeLessThan(START_LIMIT_MS);
});

test.each(['flannel', 'portmap', 'loopback'])(
  '%s started by hand is no agent, and says what it is',
  (name) => {
    using scratch = makeScratch();
    const program = join(scratch.path, name);
    symlinkSync(EXECUTABLE, program);
    const { status, stdout } = runProgram([program], { cwd: '/' });
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      code: 4,
      msg: 'required env variables [CNI_COMMAND] missing',
      details: expect.stringContaining("the agent is 'flannelette run'"),
    });
  },
);
