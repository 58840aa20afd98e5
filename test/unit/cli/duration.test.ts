import { expect, test } from 'bun:test';
import { formatDuration } from '../../../src/cli/duration.ts';

test('formatDuration() writes a span in its two largest units', () => {
  const second = 1_000;
  const minute = 60 * second;
  const hour = 60 * minute;
  const spans: [number, string][] = [
    [-5 * hour, '0 ms'],
    [0, '0 ms'],
    [1.234, '1.2 ms'],
    [38.4, '38 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [4_230, '4.2 s'],
    [59_940, '59.9 s'],
    [59_990, '1 min'],
    [3 * minute + 5 * second, '3 min 5 s'],
    [hour - 1, '1 h'],
    [2 * hour, '2 h'],
    [26 * hour + 59 * minute, '1 d 2 h'],
    [1_000 * 24 * hour, '1000 d'],
  ];
  expect(spans.map(([ms]) => formatDuration(ms))).toEqual(spans.map(([, text]) => text));
});
