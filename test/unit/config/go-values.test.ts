/** Go's notation of values. @module */
import { describe, expect, test } from 'bun:test';
import { parseGoBool, parseGoInt } from '../../../src/config/go-values.ts';

describe('parseGoBool()', () => {
  test.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('parseGoBool() takes %p for true', (text) => {
    expect(parseGoBool(text)).toBe(true);
  });
  test.each(['0', 'f', 'F', 'FALSE', 'false', 'False'])('parseGoBool() takes %p for false', (text) => {
    expect(parseGoBool(text)).toBe(false);
  });
  test.each(['', 'yes', 'no', 'on', 'tRUE', 'TrUe', ' true', 'true ', '2', '01', 'null'])(
    'parseGoBool() refuses %p',
    (text) => {
      expect(parseGoBool(text)).toBeUndefined();
    },
  );
});

describe('parseGoInt()', () => {
  const cases: readonly (readonly [text: string, base0: number | undefined, base10: number | undefined])[] = [
    ['0', 0, 0],
    ['-0', 0, 0],
    ['+7', 7, 7],
    ['-7', -7, -7],
    ['65535', 65535, 65535],
    ['007', 7, 7],
    ['010', 8, 10],
    ['08', undefined, 8],
    ['0o17', 15, undefined],
    ['0O17', 15, undefined],
    ['0x1F', 31, undefined],
    ['0XfF', 255, undefined],
    ['-0x10', -16, undefined],
    ['0b101', 5, undefined],
    ['0B1', 1, undefined],
    ['1_000', 1000, undefined],
    ['0x_ff', 255, undefined],
    ['0_7', 7, undefined],
    ['1__0', undefined, undefined],
    ['_1', undefined, undefined],
    ['1_', undefined, undefined],
    ['0_', undefined, undefined],
    ['0x', undefined, undefined],
    ['0xg', undefined, undefined],
    ['0b2', undefined, undefined],
    ['0o8', undefined, undefined],
    ['', undefined, undefined],
    ['+', undefined, undefined],
    ['--1', undefined, undefined],
    [' 1', undefined, undefined],
    ['1 ', undefined, undefined],
    ['1\n', undefined, undefined],
    ['1.0', undefined, undefined],
    ['1e3', undefined, undefined],
    ['ff', undefined, undefined],
    ['٣', undefined, undefined],
    ['9007199254740991', 9007199254740991, 9007199254740991],
    ['9007199254740993', undefined, undefined],
    ['9'.repeat(100_000), undefined, undefined],
  ];
  test.each(cases)('parseGoInt() reads %p as %p in base 0 and %p in base 10', (text, base0, base10) => {
    expect(parseGoInt(text, 0)).toBe(base0);
    expect(parseGoInt(text, 10)).toBe(base10);
  });
});
