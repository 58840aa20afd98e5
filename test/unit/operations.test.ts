/** The operations page against the program, both ways: what is not listed there is unknown to operators. @module */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_ERROR_KINDS } from '../../src/config/error.ts';
import { ADVICE } from '../../src/kernel/advice.ts';
import { METRICS } from '../../src/metrics/table.ts';
import { FILE_LIMIT_REMEDY, REMEDIES } from '../../src/model/problem.ts';

const ROOT = join(import.meta.dir, '../..');
const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
/** Everything but what other commands than `run` say. */
const sources = [...new Bun.Glob('src/**/*.ts').scanSync(ROOT)]
  .filter((path) => !path.startsWith('src/cli/') && path !== 'src/main.ts')
  .sort()
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

/** The cells of the table whose header begins with these columns. */
function tableOf(...columns: readonly string[]): string[][] {
  const header = `| ${columns.join(' | ')} |\n`;
  const at = page.indexOf(header);
  expect(at).toBeGreaterThan(-1);
  const [body = ''] = page.slice(at + header.length).split('\n\n');
  const rows = body.trimEnd().split('\n').slice(1);
  return rows.map((row) => row.slice(2, -2).split(' | '));
}

function unquoted(cell: string | undefined): string {
  return (cell ?? '').replaceAll('`', '');
}

/** What a pattern's groups find in the sources, without what stands between quotes and is no text. */
function found(pattern: RegExp, place = ''): string[] {
  return sources
    .filter(({ path }) => path.startsWith(place))
    .flatMap(({ text }) => [...text.matchAll(pattern)].flatMap((match) => match.slice(1)))
    .filter((text) => text !== undefined);
}

test('docs/operations.md lists every kind of refused configuration, and no other', () => {
  const listed = tableOf('kind', 'line', 'what it means').map(([kind]) => unquoted(kind));
  expect(listed).toEqual([...CONFIG_ERROR_KINDS]);
});

test('docs/operations.md lists every problem with its remedy, and no other', () => {
  const rows = tableOf('code', 'what it means', 'remedy');
  expect(Object.fromEntries(rows.map(([code, , remedy]) => [unquoted(code), unquoted(remedy)]))).toEqual(
    REMEDIES,
  );
  expect(rows.length).toBe(Object.keys(REMEDIES).length);
});

test('docs/operations.md lists every more exact remedy, and no other', () => {
  const listed = tableOf('code', 'remedy').map(([, remedy]) => unquoted(remedy));
  const literal = "'((?:[^'\\\\\\n]|\\\\.)+)'";
  const written = [
    ...Object.values(ADVICE),
    FILE_LIMIT_REMEDY,
    // `const FULL_REMEDY = '…'`, `remedy: '…'`, and the third argument of problem().
    ...found(new RegExp(`\\b(?:[A-Z]+_)+REMEDY =\\s+${literal}`, 'g')),
    ...found(new RegExp(`\\bremedy:\\s+${literal}`, 'g')),
    ...found(
      new RegExp(
        `\\bproblem\\(\\s*'[a-z-]+',\\s*(?:\`[^\`]*\`|${literal.replace('((', '(?:(')}|\\w+),\\s*${literal}`,
        'g',
      ),
    ),
    // A choice between two.
    ...found(new RegExp(`\\bremedy =[^;]*\\?\\s+${literal}\\s+: ${literal}`, 'g')),
  ];
  expect([...new Set(listed)].sort()).toEqual([...new Set(written)].sort());
});

test('docs/operations.md lists every event of the log with its level, and no other', () => {
  const rows = tableOf('event', 'level', 'what it means');
  const listed = rows.map(([event, level]) => `${level} ${event}`);
  const call = /(?<!console)\.(debug|info|warn|error)\(\s*((?:'[^']*'|[^,')])*)/g;
  const written: string[] = ['warn Log lines dropped'];
  const unknown: string[] = [];
  for (const { path, text } of sources) {
    if (path === 'src/log.ts' || path === 'src/log-limit.ts') continue;
    for (const [, level, first = ''] of text.matchAll(call)) {
      const texts = [...first.matchAll(/'([^']+)'/g)].map(([, event]) => `${level} ${event}`);
      if (texts.length === 0) unknown.push(`${path}: ${first}`);
      written.push(...texts);
    }
  }
  expect([...new Set(written)].sort()).toEqual(listed.sort());
  // A problem's message; its code is in the list of problems.
  expect(unknown).toEqual(['src/agent/journal.ts: problem.message']);
});

test('docs/operations.md lists every metric as it describes itself, and no other', () => {
  const rows = tableOf('metric', 'type', 'labels', 'what it tells');
  const listed = rows.map(([name, type, labels, what]) => [name, type, labels, what].map(unquoted));
  expect(listed).toEqual(
    METRICS.map(({ name, type, labels, help }) => [
      name,
      type,
      labels.join(', ') || '–',
      help.replace(/\.$/, ''),
    ]),
  );
});

test('docs/operations.md lists every event of the lease store, and no other', () => {
  const listed = [...page.matchAll(/^- `([A-Z][^`]+)`/gm)].map(([, beginning]) => beginning);
  const written = found(/\blog\(\s*`([^`$]+?)[\s']*\$\{/g, 'src/store/');
  expect(listed.sort()).toEqual(written.sort() as never);
});
