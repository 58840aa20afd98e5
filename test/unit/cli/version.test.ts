import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION, versionCommand } from '../../../src/cli/version.ts';

function run(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = versionCommand(args, { stdout: (text) => out.push(text), stderr: (text) => err.push(text) });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

test('versionCommand() prints version, Bun and architecture', () => {
  expect(VERSION).toBe('0.0.0-dev');
  const text = `flannelette 0.0.0-dev (Bun ${Bun.version}, linux/${process.arch})`;
  expect(run()).toEqual({ code: 0, out: text, err: '' });
});

test('versionCommand() prints JSON with --json, with one dash or two', () => {
  const json = { version: '0.0.0-dev', bun: Bun.version, os: 'linux', arch: process.arch };
  expect(JSON.parse(run('--json').out)).toEqual(json);
  expect(JSON.parse(run('-json').out)).toEqual(json);
});

test('versionCommand() refuses what it does not know and explains itself', () => {
  expect(run('--jsno')).toMatchObject({ code: 1, out: '' });
  expect(run('--jsno').err).toStartWith("Unknown argument '--jsno'\n\nUsage: flannelette version [--json]");
  expect(run('--help')).toMatchObject({ code: 0, err: '' });
});

test('version.ts imports nothing, so that it starts at once', () => {
  const source = readFileSync(join(import.meta.dir, '../../../src/cli/version.ts'), 'utf8');
  expect(source).not.toMatch(/\bimport\b[^s]|require\(/);
});
