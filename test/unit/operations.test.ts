/** The operations page against the program. @module */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REMEDIES } from '../../src/model/problem.ts';

test('docs/operations.md lists every problem, and no other', () => {
  const page = readFileSync(join(import.meta.dir, '../../docs/operations.md'), 'utf8');
  const listed = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code ?? '');
  expect(listed.sort()).toEqual(Object.keys(REMEDIES).sort());
});
