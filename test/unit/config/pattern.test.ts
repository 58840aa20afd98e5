/** Go's regular expressions. @module */
import { expect, test } from 'bun:test';
import { compileGoPattern } from '../../../src/config/pattern.ts';

test.each([
  ['eth.*', 'my-eth0', true],
  ['^eth', 'my-eth0', false],
  ['192\\.168\\.1\\.', '192.168.1.7', true],
  ['192\\.168\\.1\\.', '192.168.17.7', false],
  ['^enp[0-9]+s\\d$', 'enp12s0', true],
  ['(?i)^ETH0$', 'eth0', true],
  ['^ETH0$', 'eth0', false],
  ['(?im)^ETH0$', 'eth0', true],
  ['^(?P<kind>eth|wlan)0$', 'wlan0', true],
  ['^(?:eth|wlan)0$', 'wlan0', true],
  ['\\Aeth0\\z', 'eth0', true],
  ['\\Aeth0\\z', 'eth01', false],
  ['eth\\-0', 'eth-0', true],
  ['[a\\-z]', '-', true],
  ['a\\_b\\@c', 'a_b@c', true],
  ['\\\\', '\\', true],
  ['fd00:\\:', 'fd00::1', true],
  ['', 'anything', true],
])('compileGoPattern(%p) on %p matches: %p', (pattern, text, matches) => {
  expect(compileGoPattern(pattern)?.test(text)).toBe(matches);
});

test.each(['[', '(', '*', 'a**', '\\', '(?P<', '(?U)a', '[[:alpha:]]', '\\pQ', '\\Qa.b\\E', 'a{2,1}', ')'])(
  'compileGoPattern(%p) is refused rather than taken for something else',
  (pattern) => {
    expect(compileGoPattern(pattern)).toBeUndefined();
  },
);

test('compileGoPattern() gives a pattern without state between matches', () => {
  const pattern = compileGoPattern('eth');
  expect([pattern?.test('eth0'), pattern?.test('eth0')]).toEqual([true, true]);
});
