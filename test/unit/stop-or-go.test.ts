/** The table "Stop or go on" of ARCHITECTURE.md against the tests that it names, and against the program. @module */
import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLAGS } from '../../src/config/flags.ts';
import { NETWORK_KEYS, VXLAN_KEYS } from '../../src/config/net-conf-schema.ts';
import { REMEDIES } from '../../src/model/problem.ts';

const ROOT = join(import.meta.dir, '../..');
const [, section = ''] = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8').split('## Stop or go on\n');

/** The rows below a header, each as its cells. */
function rowsOf(header: string): string[][] {
  const at = section.indexOf(header);
  expect(at).toBeGreaterThan(-1);
  const [table = ''] = section.slice(at).split('\n\n');
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) => row.slice(2, -2).split(' | '));
}

/** What stands between backticks. */
function quoted(cell: string | undefined): string[] {
  return [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
}

const STOP = rowsOf('| key | what ends it | test |');
const GO = rowsOf('| condition | shown as | while it lasts | test |');

/** The words of a row that its test does not have. */
function missingIn(cell: string | undefined, test: string | undefined): string[] {
  const [path = ''] = quoted(test);
  expect(existsSync(join(ROOT, path))).toBe(true);
  const text = readFileSync(join(ROOT, path), 'utf8');
  return quoted(cell)
    .filter((word) => !text.includes(word))
    .map((word) => `${word} in ${path}`);
}

test('every reason to stop is tested where the table says so', () => {
  expect(STOP.flatMap(([key, , test]) => missingIn(key, test))).toEqual([]);
});

test('every condition to go on is tested where the table says so', () => {
  expect(GO.flatMap(([, shown, , test]) => missingIn(shown, test))).toEqual([]);
});

test('the table has every flag that is acted on and every key of net-conf.json', () => {
  const listed = new Set(STOP.flatMap(([key]) => quoted(key)));
  const flags = FLAGS.filter(({ support, name }) => support === 'acted-on' && name !== 'version');
  // MacPrefix and Name are of Windows, and not read.
  const keys = [...Object.keys(NETWORK_KEYS), ...Object.keys(VXLAN_KEYS)].filter(
    (key) => key !== 'MacPrefix' && key !== 'Name',
  );
  const all = new Set([...flags.map(({ name }) => name), ...keys]);
  expect([...all].filter((name) => !listed.has(name))).toEqual([]);
  expect([...listed].filter((name) => !all.has(name)).sort()).toEqual(['FLANNELD_', 'NODE_NAME']);
});

test('the table has every problem', () => {
  const listed = new Set(GO.flatMap(([, shown]) => quoted(shown)));
  expect(Object.keys(REMEDIES).filter((code) => !listed.has(code))).toEqual([]);
});
