/** JSON as Go reads it. @module */
import { describe, expect, test } from 'bun:test';
import { type JsonNode, parseJsonText } from '../../../src/config/json-text.ts';

function read(text: string): JsonNode | string {
  const parsed = parseJsonText(text);
  if (parsed.ok) return parsed.value;
  const { line, column, found, expected } = parsed.error;
  return `${line}:${column} found ${found ?? 'the end'}, expected ${expected}`;
}

describe('parseJsonText() reads', () => {
  test('parseJsonText() keeps every member in its order, duplicates too', () => {
    expect(read(' {"b":1,\n"a" : true,\t"b":null,"__proto__":"x","2":[1,{}],"1":{"x":-0.5e+3}}\r\n')).toEqual(
      {
        kind: 'object',
        members: [
          ['b', { kind: 'number', source: '1' }],
          ['a', { kind: 'scalar', value: true, source: 'true' }],
          ['b', { kind: 'scalar', value: null, source: 'null' }],
          ['__proto__', { kind: 'scalar', value: 'x', source: 'x' }],
          ['2', { kind: 'array' }],
          ['1', { kind: 'object', members: [['x', { kind: 'number', source: '-0.5e+3' }]] }],
        ],
      },
    );
  });

  test.each([
    ['""', ''],
    ['"a\\"b\\\\\\/\\b\\f\\n\\r\\t"', 'a"b\\/\b\f\n\r\t'],
    ['"\\u00e4\\uD83D\\uDE42"', 'ä🙂'],
    ['"ä🙂\u2028\u007f"', 'ä🙂\u2028\u007f'],
    // Go replaces a half character too.
    ['"\\ud800x"', '\ufffdx'],
  ])('parseJsonText() reads the string %s', (text, value) => {
    expect(read(text)).toMatchObject({ kind: 'scalar', value });
  });

  test.each(['0', '-0', '1', '-12', '1.5', '1e9', '1E-9', '0.0e+0', '123456789012345678901234567890'])(
    'parseJsonText() keeps the number %s as it is written',
    (source) => {
      expect(read(source)).toEqual({ kind: 'number', source });
    },
  );

  test('parseJsonText() reads 100 levels of nesting and no more', () => {
    expect(read('['.repeat(100) + ']'.repeat(100))).toEqual({ kind: 'array' });
    expect(read('['.repeat(101) + ']'.repeat(101))).toContain('at most 100 levels');
    expect(read('{"a":'.repeat(1_000_00))).toContain('at most 100 levels');
  });
});

describe('parseJsonText() says where', () => {
  test.each([
    ['', '1:1 found the end, expected a JSON value'],
    [' \n\n ', '3:2 found the end, expected a JSON value'],
    ['\uFEFF{}', '1:1 found \uFEFF, expected JSON without a byte order mark'],
    ['{"a":1,}', '1:8 found }, expected a name in double quotes after the comma'],
    ['{\n  "a": 1,\n}', '3:1 found }, expected a name in double quotes after the comma'],
    ['[1,]', '1:4 found ], expected a JSON value'],
    ['{"a":1 "b":2}', "1:8 found \", expected ',' or '}'"],
    ['{"a" 1}', "1:6 found 1, expected ':'"],
    ['{a:1}', "1:2 found a, expected a name in double quotes or '}'"],
    ["{'a':1}", "1:2 found ', expected a name in double quotes or '}'"],
    ['{"a":tru}', '1:6 found tru, expected a JSON value'],
    ['{"a":True}', '1:6 found True, expected a JSON value'],
    ['{"a":truex}', "1:10 found x, expected ',' or '}'"],
    ['{"a":01}', "1:7 found 1, expected ',' or '}'"],
    ['{"a":.5}', '1:6 found ., expected a JSON value'],
    ['{"a":+1}', '1:6 found +, expected a JSON value'],
    ['{"a":1.}', "1:7 found ., expected ',' or '}'"],
    ['{"a":NaN}', '1:6 found NaN, expected a JSON value'],
    ['{"a":1} x', '1:9 found x, expected nothing after the JSON value'],
    ['{}{}', '1:3 found {, expected nothing after the JSON value'],
    ['{"a":1\n// why\n}', "2:1 found /, expected ',' or '}'"],
    ['/* x */{}', '1:1 found /, expected a JSON value'],
    ['# x', '1:1 found #, expected a JSON value'],
    ['"a\nb"', '1:3 found \n, expected no control character in a string'],
    ['"a\\x"', '1:3 found \\, expected an escape that JSON knows'],
    ['"\\u12G4"', '1:2 found \\, expected an escape that JSON knows'],
    ['"abc', '1:5 found the end, expected a closing double quote'],
    ['"abc\\', '1:5 found \\, expected an escape that JSON knows'],
    ['{"a":[1,2', "1:10 found the end, expected ',' or ']'"],
    ['\u00a0{}', '1:1 found \u00a0, expected a JSON value'],
    ['{"ä🙂":?}', '1:8 found ?, expected a JSON value'],
  ])('parseJsonText(%j)', (text, mistake) => {
    expect(read(text)).toBe(mistake);
  });
});
