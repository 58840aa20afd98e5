import { describe, expect, test } from 'bun:test';
import { chooseSubnet, isCompatible, type SubnetWish, subnetCapacity } from '../../../src/ipam/subnet.ts';
import { type Prefix, prefixesOverlap } from '../../../src/model/ip.ts';
import { seededRandom } from '../../fuzz/random.ts';
import { prefix, RANGE4, RANGE6, range } from '../store/samples.ts';

const SMALL = range('10.3.0.0/16', 24, ['10.3.1.0', '10.3.4.0']);

function wish(different: Partial<SubnetWish>): SubnetWish {
  return { range: SMALL, own: undefined, preferred: undefined, taken: [], expired: [], ...different };
}

const never = (): number => {
  throw new Error('No dice were needed');
};

function prefixes(...texts: string[]): Prefix[] {
  return texts.map(prefix);
}

describe('isCompatible()', () => {
  test.each([
    ['10.3.1.0/24', true],
    ['10.3.4.0/24', true],
    ['10.3.0.0/24', false],
    ['10.3.5.0/24', false],
    ['10.3.2.0/25', false],
    ['10.3.2.0/23', false],
    ['fc00:0:0:1::/64', false],
  ])('%s in 10.3.1.0 to 10.3.4.0: %p', (subnet, compatible) => {
    expect(isCompatible(SMALL, prefix(subnet))).toBe(compatible);
  });
});

describe('subnetCapacity()', () => {
  test.each([
    [SMALL, 4n],
    [RANGE4, 255n],
    [RANGE6, 65_535n],
    [range('10.3.0.0/16', 24, ['10.3.4.0', '10.3.4.0']), 1n],
    [range('10.3.0.0/16', 24, ['10.3.4.0', '10.3.1.0']), 0n],
  ])('counts both ends (%#)', (given, capacity) => {
    expect(subnetCapacity(given)).toBe(capacity);
  });
});

describe('chooseSubnet()', () => {
  test('keeps the own subnet, whatever else is preferred', () => {
    const choice = chooseSubnet(
      wish({ own: prefix('10.3.3.0/24'), preferred: prefix('10.3.2.0/24') }),
      never,
    );
    expect(choice).toEqual({ kind: 'chosen', subnet: prefix('10.3.3.0/24'), how: 'own' });
  });

  test('gives up an own subnet outside of the range, of another length, or held by another', () => {
    for (const own of ['10.3.9.0/24', '10.3.2.0/25', '10.3.1.0/24']) {
      const choice = chooseSubnet(
        wish({ own: prefix(own), taken: prefixes('10.3.1.0/24', '10.3.2.0/24', '10.3.3.0/24') }),
        () => 0,
      );
      expect(choice).toEqual({ kind: 'chosen', subnet: prefix('10.3.4.0/24'), how: 'free' });
    }
  });

  test('takes the preferred subnet if nobody holds it', () => {
    const preferred = prefix('10.3.2.0/24');
    const choice = chooseSubnet(wish({ preferred, taken: prefixes('10.3.1.0/24') }), never);
    expect(choice).toEqual({ kind: 'chosen', subnet: preferred, how: 'preferred' });
  });

  test('passes over a preferred subnet that is held, has expired, or does not fit', () => {
    const others = prefixes('10.3.1.0/24', '10.3.3.0/24');
    for (const different of [
      { preferred: prefix('10.3.2.0/24'), taken: [...others, prefix('10.3.2.0/24')] },
      { preferred: prefix('10.3.2.0/24'), taken: [...others, prefix('10.3.2.128/25')] },
      { preferred: prefix('10.3.2.0/24'), taken: others, expired: prefixes('10.3.2.0/24') },
      { preferred: prefix('10.4.2.0/24'), taken: [...others, prefix('10.3.2.0/24')] },
    ]) {
      const choice = chooseSubnet(wish(different), () => 0);
      expect(choice).toEqual({ kind: 'chosen', subnet: prefix('10.3.4.0/24'), how: 'free' });
    }
  });

  test('draws among the first hundred free ones from SubnetMin on', () => {
    const taken = prefixes('10.3.1.0/24', '10.3.3.0/24');
    const draw = (number: number) => {
      const choice = chooseSubnet(wish({ range: RANGE4, taken }), () => number);
      return choice.kind === 'chosen' ? choice.subnet : choice;
    };
    expect(draw(0)).toBe(prefix('10.3.2.0/24'));
    expect(draw(0.015)).toBe(prefix('10.3.4.0/24'));
    // 10.3.2.0, then 99 from 10.3.4.0 on.
    expect(draw(0.999_999)).toBe(prefix('10.3.102.0/24'));
  });

  test('leaves what an expired lease names alone while anything else is free', () => {
    const expired = prefixes('10.3.1.0/24', '10.3.2.0/24', '10.3.4.0/24');
    const choice = chooseSubnet(wish({ expired }), () => 0);
    expect(choice).toEqual({ kind: 'chosen', subnet: prefix('10.3.3.0/24'), how: 'free' });
  });

  test('takes the one that expired first if nothing else is left', () => {
    const taken = prefixes('10.3.1.0/24', '10.3.3.0/24');
    const choice = chooseSubnet(wish({ taken, expired: prefixes('10.3.4.0/24', '10.3.2.0/24') }), never);
    expect(choice).toEqual({ kind: 'chosen', subnet: prefix('10.3.4.0/24'), how: 'expired' });
  });

  test('finds room within a larger expired subnet, and none within one that is partly held', () => {
    const taken = prefixes('10.3.1.0/24', '10.3.2.0/24', '10.3.4.64/26');
    const larger = chooseSubnet(wish({ taken, expired: prefixes('10.3.4.0/25', '10.3.2.0/23') }), never);
    expect(larger).toEqual({ kind: 'chosen', subnet: prefix('10.3.3.0/24'), how: 'expired' });
    const none = chooseSubnet(
      wish({ taken: [...taken, prefix('10.3.3.0/24')], expired: prefixes('10.3.4.0/25') }),
      never,
    );
    expect(none).toEqual({ kind: 'exhausted', capacity: 4n });
  });

  test('says how many there are if all are held', () => {
    const taken = prefixes('10.3.0.0/22', '10.3.4.0/25', '10.9.0.0/16', 'fc00::/48');
    expect(chooseSubnet(wish({ taken }), never)).toEqual({ kind: 'exhausted', capacity: 4n });
  });

  test('has nothing to give if SubnetMin is above SubnetMax', () => {
    const reversed = range('10.3.0.0/16', 24, ['10.3.4.0', '10.3.1.0']);
    expect(chooseSubnet(wish({ range: reversed }), never)).toEqual({ kind: 'exhausted', capacity: 0n });
  });

  test('reaches both ends of ranges up to IPv6 /32 with /64 subnets', () => {
    const wide = range('fd00::/32', 64, ['fd00:0:0:1::', 'fd00:0:ffff:ffff::']);
    const first = chooseSubnet(wish({ range: wide }), () => 0);
    expect(first).toMatchObject({ subnet: prefix('fd00:0:0:1::/64') });
    const taken = prefixes('fd00::/33', 'fd00:0:8000::/34', 'fd00:0:c000::/35', 'fd00:0:e000::/36');
    const next = chooseSubnet(wish({ range: wide, taken }), () => 0);
    expect(next).toMatchObject({ subnet: prefix('fd00:0:f000::/64') });
    const last = prefix('fd00:0:ffff:ffff::/64');
    expect(chooseSubnet(wish({ range: wide, preferred: last }), never)).toMatchObject({ subnet: last });
  });
});

describe('chooseSubnet() among many', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);

  test(`hands out every subnet once, then none (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const dice = () => random(2 ** 20) / 2 ** 20;
    const taken: Prefix[] = [];
    for (let i = 0; i < 255; i++) {
      const choice = chooseSubnet(wish({ range: RANGE4, taken }), dice);
      if (choice.kind !== 'chosen') throw new Error(`Exhausted after ${i}`);
      expect(isCompatible(RANGE4, choice.subnet)).toBe(true);
      taken.push(choice.subnet);
    }
    expect(new Set(taken).size).toBe(255);
    expect(chooseSubnet(wish({ range: RANGE4, taken }), dice)).toMatchObject({ kind: 'exhausted' });
  });

  test(`never overlaps anything, of whatever length (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const dice = () => random(2 ** 20) / 2 ** 20;
    const anyPrefix = () => prefix(`10.3.${random(256)}.${random(256)}/${20 + random(10)}`);
    for (let round = 0; round < 300; round++) {
      const taken = Array.from({ length: random(40) }, anyPrefix);
      const expired = Array.from({ length: random(20) }, anyPrefix);
      const choice = chooseSubnet(
        wish({ range: RANGE4, own: anyPrefix(), preferred: anyPrefix(), taken, expired }),
        dice,
      );
      if (choice.kind === 'exhausted') continue;
      expect(taken.filter((each) => prefixesOverlap(each, choice.subnet))).toEqual([]);
      const spared = choice.how === 'own' || choice.how === 'expired' ? [] : expired;
      expect(spared.filter((each) => prefixesOverlap(each, choice.subnet))).toEqual([]);
    }
  });

  test('is quick when 5,000 are taken', () => {
    const wide = range('fd00::/32', 64, ['fd00:0:0:1::', 'fd00:0:ffff:ffff::']);
    const taken = Array.from({ length: 5_000 }, (_, i) => prefix(`fd00:0:0:${(i + 1).toString(16)}::/64`));
    const startedMs = performance.now();
    const choice = chooseSubnet(wish({ range: wide, taken }), () => 0);
    expect(choice).toMatchObject({ subnet: prefix('fd00:0:0:1389::/64') });
    // Some 10 ms; a search that tries candidate by candidate takes seconds.
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});
