import { describe, expect, test } from 'bun:test';
import { isIP } from 'node:net';
import {
  addressAt,
  addressBits,
  classify,
  type Family,
  familyOf,
  formatIp,
  type Ip,
  ipFromBigint,
  ipToBigint,
  type Prefix,
  parseCidr,
  parseIp,
  parsePrefix,
  prefixBase,
  prefixContains,
  prefixCovers,
  prefixesOverlap,
  prefixLength,
  prefixOf,
  writeIp,
} from '../../../src/model/ip.ts';
import { type Random, seededRandom } from '../../fuzz/random.ts';
import { ip, prefix } from '../../sim/samples.ts';

/** Enough for every branch, and quick. */
const ROUNDS = 3_000;

/** Addresses with many zeros and ones, where the rules are. */
function randomGroups(random: Random): number[] {
  return Array.from({ length: 8 }, () => [0, 0, 0, 1, 0xffff, random(0x10000)][random(6)] ?? 0);
}

/** One of the many ways to write an address. */
function spell(groups: readonly number[], random: Random): string {
  const text = groups.map((group) => {
    const hex = group.toString(16).padStart(random(5), '0');
    return random(2) === 0 ? hex : hex.toUpperCase();
  });
  if (random(3) === 0) {
    const [high = 0, low = 0] = groups.slice(6);
    text.splice(6, 2, [high >> 8, high & 255, low >> 8, low & 255].join('.'));
  }
  const start = random(text.length);
  let end = start;
  while (groups[end] === 0 && end < Math.min(6, text.length)) end++;
  if (end === start || random(3) === 0) return text.join(':');
  return `${text.slice(0, start).join(':')}::${text.slice(end).join(':')}`;
}

/** What a browser makes of it (WHATWG URL, which takes its rules from RFC 5952). This one stumbles over some dotted tails. */
function browserForm(text: string): string | undefined {
  const url = `http://[${text}]/`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined;
}

function isMapped(groups: readonly number[]): boolean {
  return groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
}

function randomIp(random: Random, family: Family): Ip {
  const bytes = Uint8Array.from(
    { length: addressBits(family) / 8 },
    () => [0, 255, random(256)][random(3)] ?? 0,
  );
  return formatIp(bytes, 0, bytes.length);
}

describe('parseIp()', () => {
  test('brings every spelling of an IPv6 address into the form of a browser', () => {
    const random = seededRandom(1);
    for (let i = 0; i < ROUNDS; i++) {
      const groups = randomGroups(random);
      if (isMapped(groups)) continue;
      const text = spell(groups, random);
      const canonical = groups.map((group) => group.toString(16)).join(':');
      expect(`${text} ${parseIp(text)}`).toBe(`${text} ${browserForm(canonical)}`);
      expect([undefined, String(parseIp(text))]).toContain(browserForm(text));
    }
  });

  test('takes and refuses what node:net does, of texts that are nearly addresses', () => {
    const random = seededRandom(2);
    const alphabet = '0123456789abcdefABCDEF::::....gz /-';
    for (let i = 0; i < ROUNDS; i++) {
      const text = [...spell(randomGroups(random), random)];
      if (random(4) === 0) text.splice(0, text.length, ...randomIp(random, 4));
      for (let edits = random(3); edits > 0; edits--) {
        const at = random(text.length + 1);
        text.splice(at, random(2), alphabet[random(alphabet.length)] ?? '');
      }
      const candidate = text.join('');
      expect(`${candidate} ${parseIp(candidate) !== undefined}`).toBe(`${candidate} ${isIP(candidate) > 0}`);
    }
  });

  test.each([
    // RFC 5952, 4.1 to 4.3 and 5
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::AAAA', '2001:db8::aaaa'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    // As Go folds them: net.ParseIP("::ffff:1.2.3.4").String() is 1.2.3.4
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['0:0:0:0:0:ffff:0102:0304', '1.2.3.4'],
    ['::fffe:1.2.3.4', '::fffe:102:304'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
  ])("of '%s' is '%s'", (text, canonical) => {
    expect(String(parseIp(text))).toBe(canonical);
  });

  test.each([
    // Go's netip.ParseAddr refuses all of these; zones have no place in our objects.
    ...['', ' ', '1.2.3', '1.2.3.', '.1.2.3', '1.2.3.4.5', '1.2.3.4.', '01.2.3.4', '1.2.3.04', '00.0.0.0'],
    ...['256.1.1.1', '1.2.3.-4', '1.2.3.4 ', ' 1.2.3.4', '0x1.2.3.4', '1,2,3,4', '1..2.3', '１.2.3.4'],
    ...[':', ':::', '::1::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::'],
    ...['::1:2:3:4:5:6:7:8', '12345::', 'g::', ':1::2', '1::2:', 'fe80::1%eth0', '[::1]', '::1/64'],
    ...[
      '1.2.3.4::',
      '::1.2.3',
      '::1.2.3.4.5',
      '1::1.2.3.4:5',
      '::01.2.3.4',
      '::256.2.3.4',
      '1:2:3:4:5:6:7:1.2.3.4',
    ],
  ])("refuses '%s'", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

describe('bytes and numbers', () => {
  test('writeIp() and formatIp() are inverse, at any place', () => {
    const random = seededRandom(3);
    for (let i = 0; i < ROUNDS; i++) {
      const address = randomIp(random, random(2) === 0 ? 4 : 6);
      const bytes = new Uint8Array(24).fill(0xee);
      const at = random(8);
      const length = writeIp(address, bytes, at);
      expect(formatIp(bytes, at, length)).toBe(address);
      expect(length * 8).toBe(addressBits(familyOf(address)));
      expect([bytes[at - 1] ?? 0xee, bytes[at + length] ?? 0xee]).toEqual([0xee, 0xee]);
    }
  });

  test('ipToBigint() and ipFromBigint() are inverse and keep the order of the bytes', () => {
    const random = seededRandom(4);
    for (let i = 0; i < ROUNDS; i++) {
      const family = random(2) === 0 ? 4 : 6;
      const address = randomIp(random, family);
      expect(ipFromBigint(family, ipToBigint(address))).toBe(address);
    }
    expect(ipToBigint(ip('10.0.0.1'))).toBe(0x0a000001n);
    expect(ipToBigint(ip('1::2'))).toBe((1n << 112n) + 2n);
  });

  test('a mapped address that the kernel shows stays IPv6, since it is another one there', () => {
    const bytes = new Uint8Array(16);
    bytes.set([0xff, 0xff, 10, 0, 0, 1], 10);
    const shown = formatIp(bytes, 0, 16);
    expect(familyOf(shown)).toBe(6);
    const back = new Uint8Array(16);
    expect(writeIp(shown, back, 0)).toBe(16);
    expect(back).toEqual(bytes);
  });
});

describe('prefixes', () => {
  test.each([
    ['10.3.7.9/16', '10.3.0.0/16'],
    ['10.3.7.9/0', '0.0.0.0/0'],
    ['10.3.7.9/32', '10.3.7.9/32'],
    ['10.3.7.9/31', '10.3.7.8/31'],
    ['10.3.7.9/024', '10.3.7.0/24'],
    ['fd00:1:2:3:4:5:6:7/49', 'fd00:1:2::/49'],
    ['fd00::ffff/128', 'fd00::ffff/128'],
    ['::1/0', '::/0'],
  ])("parsePrefix() of '%s' is '%s'", (text, masked) => {
    expect(String(parsePrefix(text))).toBe(masked);
  });

  test.each([
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '/8',
    '10.0.0.0/8/8',
  ])("parsePrefix() refuses '%s'", (text) => {
    expect(parsePrefix(text)).toBeUndefined();
    expect(parseCidr(text)).toBeUndefined();
  });

  test('parseCidr() keeps the host bits', () => {
    expect(parseCidr('10.3.7.9/16')).toEqual({ ip: ip('10.3.7.9'), length: 16 });
  });

  test('containing, covering and overlapping agree with arithmetic', () => {
    const random = seededRandom(5);
    const range = (network: Prefix): readonly [bigint, bigint] => {
      const first = ipToBigint(prefixBase(network));
      return [first, first + (1n << BigInt(addressBits(familyOf(network)) - prefixLength(network))) - 1n];
    };
    for (let i = 0; i < ROUNDS; i++) {
      const family = random(2) === 0 ? 4 : 6;
      const a = prefixOf(randomIp(random, family), random(addressBits(family) + 1));
      const inside = random(2) === 0 ? prefixBase(a) : randomIp(random, family);
      const b = prefixOf(inside, random(addressBits(family) + 1));
      const [[aFirst, aLast], [bFirst, bLast]] = [range(a), range(b)];
      const value = ipToBigint(inside);
      expect(prefixContains(a, inside)).toBe(aFirst <= value && value <= aLast);
      expect(prefixCovers(a, b)).toBe(aFirst <= bFirst && bLast <= aLast);
      expect(prefixesOverlap(a, b)).toBe(aFirst <= bLast && bFirst <= aLast);
    }
  });

  test('families do not mix', () => {
    expect(prefixContains(prefix('0.0.0.0/0'), ip('::1'))).toBe(false);
    expect(prefixContains(prefix('::/0'), ip('1.2.3.4'))).toBe(false);
    expect(prefixesOverlap(prefix('0.0.0.0/0'), prefix('::/0'))).toBe(false);
  });

  test('addressAt() counts from the base', () => {
    expect(String(addressAt(prefix('10.42.1.0/24'), 1n))).toBe('10.42.1.1');
    expect(String(addressAt(prefix('10.42.1.0/24'), 256n))).toBe('10.42.2.0');
    expect(String(addressAt(prefix('fd42::/64'), (1n << 64n) - 1n))).toBe('fd42::ffff:ffff:ffff:ffff');
  });
});

test.each([
  ['0.0.0.0', 'unspecified'],
  ['::', 'unspecified'],
  ['255.255.255.255', 'broadcast'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', 'global'],
  ['ff02::1', 'multicast'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.255', 'loopback'],
  ['::1', 'loopback'],
  ['169.254.1.1', 'link-local'],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', 'global'],
  ['192.168.0.1', 'global'],
  ['fd00::1', 'global'],
  ['2001:db8::1', 'global'],
])("classify() of '%s' is %s", (text, expected) => {
  expect<string>(classify(ip(text))).toBe(expected);
});
