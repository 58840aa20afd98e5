import { expect, test } from 'bun:test';
import { chooseIdentity, deriveMac } from '../../../src/agent/identity.ts';
import { isStationMac, parseMac } from '../../../src/model/ip.ts';
import { leaseOf, mac, macOf } from '../../sim/samples.ts';

const NOTHING = { macIpv4: undefined, macIpv6: undefined };
const NAMES = { nodeName: 'node-1', machineId: 'f00d' };

test('chooseIdentity() keeps what was published, else what is remembered, else derives it, each family by itself', () => {
  const remembered = { macIpv4: macOf(7, 4), macIpv6: macOf(7, 6) };
  const derived = chooseIdentity({ published: undefined, remembered: NOTHING, ...NAMES });
  expect(chooseIdentity({ published: leaseOf(1), remembered, ...NAMES })).toEqual({
    macIpv4: macOf(1, 4),
    macIpv6: macOf(1, 6),
  });
  expect(chooseIdentity({ published: leaseOf(1, { families: [4] }), remembered, ...NAMES })).toEqual({
    macIpv4: macOf(1, 4),
    macIpv6: macOf(7, 6),
  });
  expect(chooseIdentity({ published: undefined, remembered, ...NAMES })).toEqual(remembered);
  const half = { macIpv4: undefined, macIpv6: macOf(7, 6) };
  expect(chooseIdentity({ published: undefined, remembered: half, ...NAMES })).toEqual({
    macIpv4: derived.macIpv4,
    macIpv6: macOf(7, 6),
  });
});

test('chooseIdentity() does not take over a lease of a backend without devices', () => {
  const published = leaseOf(1, { backendType: 'host-gw' });
  const identity = chooseIdentity({ published, remembered: NOTHING, ...NAMES });
  expect(identity).toEqual(chooseIdentity({ published: undefined, remembered: NOTHING, ...NAMES }));
});

test('chooseIdentity() derives the same again, another for each family, node and machine', () => {
  const derive = (names: typeof NAMES) =>
    chooseIdentity({ published: undefined, remembered: NOTHING, ...names });
  const all = [
    derive(NAMES),
    derive({ ...NAMES, nodeName: 'node-2' }),
    derive({ ...NAMES, machineId: 'beef' }),
    derive({ ...NAMES, machineId: '' }),
  ].flatMap(({ macIpv4, macIpv6 }) => [macIpv4, macIpv6]);
  expect(new Set(all).size).toBe(all.length);
  expect(derive({ ...NAMES })).toEqual(derive(NAMES));
  // `printf 'node-1\nf00d\n4' | sha256sum`. Peers know it: another release must come to the same.
  expect(derive(NAMES)).toEqual({ macIpv4: mac('9e:ce:8c:10:67:85'), macIpv6: mac('b6:f8:19:35:56:c9') });
});

test('deriveMac() gives well-formed, locally administered addresses of single stations', () => {
  for (let i = 0; i < 1_000; i++) {
    const derived = deriveMac(`seed ${i}`);
    expect(parseMac(derived)).toBe(derived);
    expect(isStationMac(derived)).toBe(true);
    expect(Number.parseInt(derived.slice(0, 2), 16) & 0b10).toBe(0b10);
  }
});
