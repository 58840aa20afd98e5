/** Guessing what was meant. @module */
import { expect, test } from 'bun:test';
import { nearest } from '../../../src/config/nearest.ts';

const NAMES = ['iface', 'iface-regex', 'iface-can-reach', 'public-ip', 'public-ipv6', 'Port', 'VNI', 'v'];

test.each([
  ['ifcae', 'iface'],
  ['ifaces', 'iface'],
  ['iface_regex', 'iface-regex'],
  ['public-ip4', 'public-ip'],
  ['publicip', 'public-ip'],
  ['PUBLIC-IPV6', 'public-ipv6'],
  ['Prot', 'Port'],
  ['VNi', 'VNI'],
  ['VNID', 'VNI'],
])('nearest() finds for %p the name %p', (wrong, name) => {
  expect(nearest(wrong, NAMES)).toBe(name);
});

test.each(['', 'x', 'q', 'zz', 'completely-else', '__proto__', 'i'.repeat(65), 'iface'.repeat(10_000)])(
  'nearest() finds nothing for what is far from everything (%#)',
  (wrong) => {
    expect(nearest(wrong, NAMES)).toBeUndefined();
  },
);
