/**
 * The rules of the tree, as ARCHITECTURE.md states them: who may import whom, and how files look.
 *
 * @module
 */
import { describe, expect, test } from 'bun:test';
import { basename, dirname } from 'node:path';
import { AREAS, ONLY_IN } from './architecture/areas.ts';
import type { Import, SourceFile } from './architecture/source.ts';
import {
  codeOf,
  findCycle,
  functionsOf,
  lineCount,
  readSources,
  undocumentedExports,
} from './architecture/source.ts';

/** Imported by no file: it is where the program begins. */
const ENTRY = 'src/main.ts';

/** Code that is a function of its arguments alone may not say these words; a hash is such a function. */
const IMPURE =
  /\b(Date|performance|Math\.random|crypto|process|Bun(?!\.hash\b)|fetch|console|set(Timeout|Interval|Immediate))\b/;
/** What reads a clock or dice that nobody passed in. */
const UNSEEDED = /\b(Date\.now|performance|Math\.random|set(Timeout|Interval|Immediate))\b|new Date\(\)/;
const ASYNCHRONOUS = /\b(Promise|async|await|queueMicrotask)\b/;
const PURE: Readonly<Record<string, readonly RegExp[]>> = {
  'src/plan': [IMPURE, ASYNCHRONOUS],
  'src/ipam': [IMPURE, ASYNCHRONOUS],
  'src/underlay': [IMPURE, ASYNCHRONOUS],
  'src/removal': [IMPURE, ASYNCHRONOUS],
  'src/netlink': [IMPURE, ASYNCHRONOUS],
  'src/model': [IMPURE],
  'src/metrics/table.ts': [IMPURE, ASYNCHRONOUS],
  'src/metrics/text.ts': [IMPURE, ASYNCHRONOUS],
  'src/reconcile': [IMPURE],
  'src/config': [IMPURE],
  'src/agent': [UNSEEDED],
  'src/install/plan.ts': [IMPURE, ASYNCHRONOUS],
  'src/install/conflist.ts': [IMPURE, ASYNCHRONOUS],
  'src/kernel': [UNSEEDED],
};

const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 70;
const FILE_NAME = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/;
const FOLDER_NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;
/** Promises to do it later, and ways to switch a check off. */
const UNFINISHED = /\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|nocheck)|biome-ignore/;
/** Biome's rules that hold the rest, which must stay switched on. */
const LINT_RULES = ['noExplicitAny', 'noNonNullAssertion', 'noEnum', 'noImportCycles', 'useImportType'];

const program = readSources(['src', 'ffi', 'k3s', 'arm']);
const tests = readSources(['test']);
const everything = [...program, ...tests];

function isWithin(path: string, place: string): boolean {
  if (place.endsWith('*')) return path.startsWith(place.slice(0, -1));
  return path === place || path.startsWith(`${place}/`);
}

function areaOf(path: string): string | undefined {
  const fitting = Object.keys(AREAS).filter((area) => isWithin(path, area));
  return fitting.sort((a, b) => b.length - a.length)[0];
}

function mayImport(from: string, { target, kind }: Import): boolean {
  const area = areaOf(from);
  const rule = area === undefined ? undefined : AREAS[area];
  if (area === undefined || rule === undefined) return false;
  if (areaOf(target) === area) return true;
  const allowed = kind === 'types' ? [...rule.values, ...(rule.types ?? [])] : rule.values;
  return allowed.some((place) => isWithin(target, place));
}

/** The places of what is wrong, each as `file: what`; a rule holds if there are none. */
function offences(
  sources: readonly SourceFile[],
  check: (source: SourceFile) => readonly string[],
): string[] {
  return sources.flatMap((source) => check(source).map((what) => `${source.path}: ${what}`));
}

describe('imports', () => {
  test('every file belongs to an area', () => {
    expect(program.filter(({ path }) => areaOf(path) === undefined)).toEqual([]);
  });

  test('every area imports only what it may', () => {
    const wrong = offences(program, ({ path, imports }) =>
      imports
        .filter((each) => path !== ENTRY || each.kind !== 'dynamic')
        .filter((each) => !mayImport(path, each))
        .map(({ target, kind }) => `${target} (${kind})`),
    );
    expect(wrong).toEqual([]);
  });

  test.each(Object.entries(ONLY_IN))('%s is imported only in %s', (module, place) => {
    const users = program.filter(({ imports }) => imports.some(({ target }) => isWithin(target, module)));
    expect(users.length).toBeGreaterThan(0);
    expect(users.filter(({ path }) => !isWithin(path, place)).map(({ path }) => path)).toEqual([]);
  });

  test('the entry imports each command when it is asked for, and is imported by nobody', () => {
    const entry = program.find(({ path }) => path === ENTRY);
    expect(new Set(entry?.imports.map(({ kind }) => kind))).toEqual(new Set(['dynamic']));
    expect(everything.filter(({ imports }) => imports.some(({ target }) => target === ENTRY))).toEqual([]);
  });

  test('no import comes back to where it started', () => {
    expect(findCycle(everything)).toBeUndefined();
  });

  test('nothing is exported by a file that it is not written in', () => {
    expect(offences(everything, ({ text }) => text.match(/^export .* from '.*';$/gm) ?? [])).toEqual([]);
  });

  test('no import is missed by the reading of the text', () => {
    const transpiler = new Bun.Transpiler({ loader: 'ts' });
    const missed = offences(program, ({ text, imports }) => {
      const read = transpiler.scanImports(text).length;
      return read <= imports.length ? [] : [`${read} imports, of which ${imports.length} were seen`];
    });
    expect(missed).toEqual([]);
  });
});

test.each(Object.entries(PURE))('%s takes nothing from outside but what it is given', (folder, words) => {
  const files = program.filter(({ path }) => isWithin(path, folder));
  expect(files.length).toBeGreaterThan(0);
  const wrong = offences(files, ({ text }) => words.flatMap((word) => codeOf(text).match(word)?.[0] ?? []));
  expect(wrong).toEqual([]);
});

describe('files', () => {
  test(`none is longer than ${FILE_LINES_MAX} lines`, () => {
    const long = offences(everything, ({ text }) =>
      lineCount(text) > FILE_LINES_MAX ? [`${lineCount(text)} lines`] : [],
    );
    expect(long).toEqual([]);
  });

  test(`no function is longer than ${FUNCTION_LINES_MAX} lines`, () => {
    const long = offences(program, ({ text }) =>
      functionsOf(text)
        .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
        .map(({ line, lines }) => `line ${line}: ${lines} lines`),
    );
    expect(long).toEqual([]);
  });

  test('names are in kebab case, and none is index.ts', () => {
    const isNamedWell = (path: string) =>
      FILE_NAME.test(basename(path)) &&
      basename(path) !== 'index.ts' &&
      dirname(path)
        .split('/')
        .every((folder) => FOLDER_NAME.test(folder));
    expect(everything.filter(({ path }) => !isNamedWell(path)).map(({ path }) => path)).toEqual([]);
  });

  test('each begins with a comment that says what it is, unless it is a test', () => {
    const nameless = everything.filter(
      ({ path, text }) =>
        !path.endsWith('.test.ts') && !/^(#!.*\n)?\/\*\*\n(?: \*.*\n)* \* @module\n \*\//.test(text),
    );
    expect(nameless.map(({ path }) => path)).toEqual([]);
  });

  test('every export of the program is documented, and none is a default', () => {
    expect(offences(program, ({ text }) => undocumentedExports(text).map((line) => `line ${line}`))).toEqual(
      [],
    );
    expect(offences(program, ({ text }) => text.match(/^export default\b.*/gm) ?? [])).toEqual([]);
  });

  test('nothing is left for later, and no check is switched off', () => {
    const self = 'test/architecture.test.ts';
    const others = everything.filter(({ path }) => path !== self);
    expect(offences(others, ({ text }) => text.match(UNFINISHED)?.slice(0, 1) ?? [])).toEqual([]);
  });

  test('the linter holds the rules that are not tested here', async () => {
    const config = await Bun.file('biome.json').text();
    for (const rule of LINT_RULES) expect(config).toContain(`"${rule}": "error"`);
  });
});

test('functionsOf() finds functions, arrows and methods and measures them', () => {
  const text = [
    'export async function first({',
    '  a,',
    '}: {',
    '  a: number;',
    '}): Promise<void> {',
    '  if (a) {',
    '  }',
    '}',
    'class Second {',
    '  static #third(b: string): void {',
    '    b.map((c) => {',
    '      return c;',
    '    });',
    '  }',
    '}',
    '',
  ].join('\n');
  expect(functionsOf(text)).toEqual([
    { line: 1, lines: 8 },
    { line: 10, lines: 5 },
    { line: 11, lines: 3 },
  ]);
});
