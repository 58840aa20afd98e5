import { expect, test } from 'bun:test';
import { printable } from '../../../src/model/printable.ts';

test('printable() leaves ordinary text of any language alone', () => {
  const text = "Route 10.42.1.0/24 – 'Straße' 日本 ✓ 😀";
  expect(printable(text)).toBe(text);
});

test('printable() escapes what could move a cursor, break a line or reorder text', () => {
  expect(printable('a\u001b[2J\r\n\t\u0000b')).toBe('a\\u001b[2J\\u000d\\u000a\\u0009\\u0000b');
  expect(printable('\u007f\u009b\u2028\u2029\u202e\u2066\u200b\ufeff')).toBe(
    '\\u007f\\u009b\\u2028\\u2029\\u202e\\u2066\\u200b\\ufeff',
  );
  expect(printable('\ud800x')).toBe('\\ud800x');
  expect(printable('\u{e0041}')).toBe('\\udb40\\udc41');
});

test('printable() keeps JSON what it was', () => {
  const value = { 'key\u009b': 'a\u001b\u202e\u{e0041}' };
  expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(value);
});
