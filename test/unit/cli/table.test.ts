import { expect, test } from 'bun:test';
import { formatTable, textWidth } from '../../../src/cli/table.ts';

test('formatTable() aligns text left and numbers right', () => {
  const rows = [
    ['edge-1', '10.42.1.0/24', '38 ms', '✓'],
    ['edge-20', '10.42.20.0/24', '1,204 ms', '✗'],
    ['e', '10.42.3.0/24', '–', '–'],
  ];
  expect(formatTable(['node', 'subnet', 'ready', 'v6'], rows)).toBe(
    [
      'node     subnet            ready  v6',
      'edge-1   10.42.1.0/24      38 ms  ✓',
      'edge-20  10.42.20.0/24  1,204 ms  ✗',
      'e        10.42.3.0/24          –  –',
    ].join('\n'),
  );
});

test('formatTable() draws a box and indents', () => {
  expect(
    formatTable(
      ['a', 'count'],
      [
        ['x', '1'],
        ['yy', '22'],
      ],
      { box: true, indent: 2 },
    ),
  ).toBe(
    [
      '  ┌────┬───────┐',
      '  │ a  │ count │',
      '  ├────┼───────┤',
      '  │ x  │     1 │',
      '  │ yy │    22 │',
      '  └────┴───────┘',
    ].join('\n'),
  );
});

test('formatTable() counts neither colour codes nor halves of wide characters', () => {
  const text = formatTable(
    ['a', 'b'],
    [
      ['\x1b[32mok\x1b[0m', 'x'],
      ['日本', 'y'],
    ],
    { align: ['right'] },
  );
  expect(Bun.stripANSI(text)).toBe('   a  b\n  ok  x\n日本  y');
  expect(['✓', '✗', '–'].map(textWidth)).toEqual([1, 1, 1]);
});

test('formatTable() keeps an IP address column left and fills missing cells', () => {
  expect(formatTable(['ip', 'n'], [['10.1.2.3', '7'], ['fd00::1']])).toBe(
    'ip        n\n10.1.2.3  7\nfd00::1',
  );
  expect(formatTable(['ip'], [])).toBe('ip');
});
