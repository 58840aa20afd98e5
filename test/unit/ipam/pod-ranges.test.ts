/** From which addresses a pod gets one, and in which order. @module */
import { expect, test } from 'bun:test';
import { nextAddress, podRange, type RangeWish, rangeSetsProblem } from '../../../src/ipam/pod-ranges.ts';
import { type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';

function ip(text: string): Ip {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return address;
}

function wish(subnet: string, rest: Omit<RangeWish, 'subnet'> = {}): RangeWish {
  const prefix = parsePrefix(subnet);
  if (prefix === undefined) throw new Error(subnet);
  return { subnet: prefix, ...rest };
}

function range(subnet: string, rest: Omit<RangeWish, 'subnet'> = {}) {
  const result = podRange(wish(subnet, rest));
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

const NOBODY = { isTaken: () => false };

test.each([
  ['10.42.1.0/24', '10.42.1.1', '10.42.1.254'],
  ['10.42.1.4/30', '10.42.1.5', '10.42.1.6'],
  ['fd00:1::/64', 'fd00:1::1', 'fd00:1::ffff:ffff:ffff:ffff'],
])('podRange() of %s gives %s to %s, the first being the gateway', (subnet, start, end) => {
  expect(podRange(wish(subnet))).toMatchObject({ ok: true, value: { start, end, gateway: start } });
});

test.each([
  [wish('10.0.0.0/31'), 'too small'],
  [wish('fd00::1/128'), 'too small'],
  [wish('10.0.0.0/24', { rangeStart: ip('10.0.1.1') }), 'rangeStart 10.0.1.1 is not in'],
  [wish('10.0.0.0/24', { rangeEnd: ip('10.0.1.1') }), 'rangeEnd 10.0.1.1 is not in'],
  [wish('10.0.0.0/24', { rangeStart: ip('10.0.0.9'), rangeEnd: ip('10.0.0.8') }), 'is after'],
  [wish('10.0.0.0/24', { gateway: ip('fd00::1') }), 'family'],
])('podRange() refuses %p', (refused, words) => {
  expect(podRange(refused)).toMatchObject({ ok: false, error: expect.stringContaining(words) });
});

test('rangeSetsProblem() knows sets that cannot be', () => {
  const low = range('10.0.0.0/24', { rangeEnd: ip('10.0.0.99') });
  const high = range('10.0.0.0/24', { rangeStart: ip('10.0.0.100') });
  expect(rangeSetsProblem([[low, high], [range('fd00::/64')]])).toBeUndefined();
  expect(rangeSetsProblem([[]])).toContain('empty');
  expect(rangeSetsProblem([[low, range('fd00::/64')]])).toContain('one set');
  expect(rangeSetsProblem([[low], [range('10.0.0.0/16')]])).toContain('overlap');
});

test('nextAddress() goes round, over the gateway and what is taken', () => {
  const set = [range('10.0.0.0/29')];
  const taken = new Set<Ip>();
  const isTaken = (address: Ip) => taken.has(address);
  let last: Ip | undefined;
  const given: string[] = [];
  for (let i = 0; i < 7; i++) {
    if (i === 3) taken.clear();
    const next = nextAddress(set, { last, isTaken });
    if (next === undefined) break;
    last = next.ip;
    taken.add(next.ip);
    given.push(next.ip);
  }
  // What was given back comes last; .1 is the gateway. The seventh finds five taken, which are all.
  const order = ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.2', '10.0.0.3'];
  expect(given).toEqual(order);
  taken.add(ip('10.0.0.4'));
  expect(nextAddress(set, { last, isTaken })).toBeUndefined();
});

test('nextAddress() finds the last free one wherever it is', () => {
  const set = [range('10.0.0.0/29'), range('10.0.1.0/29')];
  for (const last of [
    undefined,
    ip('10.0.0.4'),
    ip('10.0.1.6'),
    ip('10.0.0.3'),
    ip('9.9.9.9'),
    ip('fd00::1'),
  ]) {
    for (const free of ['10.0.0.2', '10.0.0.4', '10.0.1.6']) {
      expect(nextAddress(set, { last, isTaken: (address) => address !== free })?.ip).toBe(ip(free));
    }
  }
});

test('nextAddress() goes on in the next range, whose gateway it gives back', () => {
  const set = [range('10.0.0.0/30'), range('10.0.1.0/30')];
  expect(nextAddress(set, { last: ip('10.0.0.2'), ...NOBODY })).toMatchObject({
    ip: '10.0.1.2',
    range: { gateway: '10.0.1.1' },
  });
  expect(nextAddress(set, { last: ip('10.0.1.2'), ...NOBODY })?.ip).toBe(ip('10.0.0.2'));
});
