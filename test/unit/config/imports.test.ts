/** What src/config loads: settings are needed by every start, the schema library only with net-conf.json. @module */
import { expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dir, '../../../src/config');
const transpiler = new Bun.Transpiler({ loader: 'ts' });

function importsOf(file: string): string[] {
  return transpiler.scanImports(readFileSync(join(folder, file), 'utf8')).map(({ path }) => path);
}

/** A file of the folder and all that it loads from there. */
function reach(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const path of importsOf(file)) if (path.startsWith('./')) reach(path.slice(2), seen);
  return seen;
}

test('src/config imports the model, node:util, and valibot in one place', () => {
  for (const file of readdirSync(folder)) {
    const outside = importsOf(file).filter((path) => !path.startsWith('./') && !path.startsWith('../model/'));
    const allowed = file === 'net-conf-schema.ts' ? ['valibot'] : ['node:util'];
    expect([file, outside.filter((path) => !allowed.includes(path))]).toEqual([file, []]);
  }
});

test.each(['settings.ts', 'help.ts', 'subnet-env.ts', 'error.ts'])(
  'src/config/%s loads no valibot',
  (file) => {
    expect(reach(file).has('net-conf-schema.ts')).toBeFalse();
    expect(reach('net-conf.ts').has('net-conf-schema.ts')).toBeTrue();
  },
);
