/** The help text. @module */
import { expect, test } from 'bun:test';
import { FLAGS } from '../../../src/config/flags.ts';
import { formatHelp } from '../../../src/config/help.ts';

const help = formatHelp();

test('formatHelp() fits 100 columns and ends in one newline', () => {
  const lines = help.split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(lines.filter((line) => line !== line.trimEnd())).toEqual([]);
  expect(help).toMatch(/[^\n]\n$/);
});

test('formatHelp() names every command and every flag once', () => {
  for (const command of ['run', 'status', 'version', 'demo'])
    expect(help).toMatch(new RegExp(`^  ${command} +\\w`, 'm'));
  for (const { name } of FLAGS) expect(help.match(new RegExp(`^  --${name}\\b(?!-)`, 'gm'))?.length).toBe(1);
});

test('formatHelp() shows the defaults that are not empty', () => {
  for (const text of [
    '(default 60)',
    '(default /run/flannel/subnet.env)',
    '(default logfmt)',
    '(default true)',
  ]) {
    expect(help).toContain(text);
  }
  expect(help).not.toContain('(default )');
  expect(help).not.toContain('(default false)');
});

test('formatHelp() aligns the descriptions of all flags', () => {
  const columns = [...help.matchAll(/^( {2}--\S+(?: \S+)? {2,})\S/gm)].map((match) => match[1]?.length);
  expect(columns.length).toBe(FLAGS.length);
  expect(new Set(columns).size).toBe(1);
});
