/** How mistakes are told. @module */
import { describe, expect, test } from 'bun:test';
import {
  type ConfigError,
  describeConfigError,
  invalid,
  missing,
  printable,
} from '../../../src/config/error.ts';

describe('describeConfigError()', () => {
  const cases: readonly (readonly [what: string, error: ConfigError, line: string])[] = [
    [
      'an invalid value',
      invalid({ key: 'healthz-port', value: 'abc' }, 'an integer from 0 to 65535'),
      "healthz-port: invalid value 'abc', expected an integer from 0 to 65535",
    ],
    [
      'an invalid value that is not to be shown',
      invalid({ key: 'etcd-password', value: undefined }, 'a text'),
      'etcd-password: invalid value, expected a text',
    ],
    [
      'a missing value',
      missing('Network', 'an IPv4 network'),
      'Network: no value given, expected an IPv4 network',
    ],
    [
      'an unknown flag',
      { kind: 'unknown', key: 'ifce', value: undefined, expected: "a flag; did you mean 'iface'?" },
      "ifce: unknown flag, expected a flag; did you mean 'iface'?",
    ],
    [
      'a value of a later version',
      { kind: 'unsupported', key: 'Backend.Type', value: 'ipip', expected: 'vxlan or host-gw' },
      "Backend.Type: 'ipip' is not supported by this version, expected vxlan or host-gw",
    ],
    [
      'a flag of a later version',
      { kind: 'unsupported', key: 'etcd-password', value: undefined, expected: '--lease-db FILE' },
      'etcd-password: not supported by this version, expected --lease-db FILE',
    ],
    [
      'a syntax error',
      { kind: 'syntax', key: 'net-conf.json line 1 column 2', value: '}', expected: 'a value' },
      "net-conf.json line 1 column 2: found '}', expected a value",
    ],
    [
      'a text that ends too early',
      { kind: 'syntax', key: 'net-conf.json line 1 column 2', value: undefined, expected: 'a value' },
      'net-conf.json line 1 column 2: found the end of the text, expected a value',
    ],
  ];
  test.each(cases)('describeConfigError() tells of %s', (_, error, line) => {
    expect(describeConfigError(error)).toBe(line);
  });

  test('describeConfigError() gives one line of bounded length whatever the value and the key', () => {
    const nasty = `a\nb\r\u001b[31m\u2028\u202e\ud800${'x'.repeat(10_000)}`;
    const line = describeConfigError(invalid({ key: nasty, value: nasty }, 'something else'));
    expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(line.length).toBeLessThan(300);
    expect(line).toStartWith('a\\nb\\r\\u{1b}[31m\\u{2028}\\u{202e}\\u{d800}xxx');
  });
});

describe('printable()', () => {
  test('printable() leaves ordinary text of any script alone', () => {
    expect(printable('Größe 大小 🙂 \'"\\')).toBe('Größe 大小 🙂 \'"\\');
  });

  test('printable() cuts after 100 characters and says so', () => {
    expect(printable('x'.repeat(100))).toBe('x'.repeat(100));
    expect(printable('x'.repeat(101))).toBe(`${'x'.repeat(100)}…`);
  });
});
