import { expect, test } from 'bun:test';
import { formatMac, isStationMac, parseMac, writeMac } from '../../../src/model/ip.ts';
import { seededRandom } from '../../fuzz/random.ts';
import { mac } from '../../sim/samples.ts';

test('writeMac() and formatMac() are inverse, at any place', () => {
  const random = seededRandom(1);
  for (let i = 0; i < 500; i++) {
    const bytes = Uint8Array.from({ length: 12 }, () => random(256));
    const at = random(6);
    const text = formatMac(bytes, at);
    expect(String(parseMac(text))).toBe(text);
    const back = new Uint8Array(12);
    writeMac(text, back, at);
    expect(back.subarray(at, at + 6)).toEqual(bytes.subarray(at, at + 6));
  }
});

test.each([
  ['0A:58:0a:2A:01:00', '0a:58:0a:2a:01:00'],
  ['0a-58-0a-2a-01-00', '0a:58:0a:2a:01:00'],
])("parseMac() of '%s' is '%s'", (text, canonical) => {
  expect(String(parseMac(text))).toBe(canonical);
});

test.each([
  ...[
    '',
    '0a:58:0a:2a:01',
    '0a:58:0a:2a:01:00:00',
    '0a:58:0a:2a:01:0',
    '0a:58:0a:2a:01:0g',
    '0a58.0a2a.0100',
  ],
  ...['0a:58-0a:2a:01:00', ' 0a:58:0a:2a:01:00', '0a:58:0a:2a:01:00\n', '02:00:5e:10:00:00:00:01'],
])("parseMac() refuses '%s'", (text) => {
  expect(parseMac(text)).toBeUndefined();
});

test('isStationMac() reads the group bit and refuses zeros', () => {
  expect(isStationMac(mac('01:00:5e:00:00:01'))).toBe(false);
  expect(isStationMac(mac('ff:ff:ff:ff:ff:ff'))).toBe(false);
  expect(isStationMac(mac('00:00:00:00:00:00'))).toBe(false);
  expect(isStationMac(mac('02:00:00:00:00:01'))).toBe(true);
});
