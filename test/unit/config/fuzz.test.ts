/** Whatever is told from outside has an answer, and never an exception. @module */
import { describe, expect, test } from 'bun:test';
import { type ConfigError, describeConfigError } from '../../../src/config/error.ts';
import { environmentName, FLAGS } from '../../../src/config/flags.ts';
import { parseJsonText } from '../../../src/config/json-text.ts';
import { parseNetConf } from '../../../src/config/net-conf.ts';
import { parseSettings } from '../../../src/config/settings.ts';
import { readSubnetEnv } from '../../../src/config/subnet-env.ts';
import { ipToBigint, prefixContains } from '../../../src/model/ip.ts';

const ROUNDS = 3_000;
/** Set FUZZ_SEED to see a failure again. */
const { FUZZ_SEED } = process.env;
const seed = FUZZ_SEED === undefined ? Date.now() >>> 0 : Number(FUZZ_SEED);
console.log(`fuzz of src/config: FUZZ_SEED=${seed}`);

/** Mulberry32: small, and the same everywhere. */
function randomFrom(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Random = ReturnType<typeof randomFrom>;

function pick<T>(random: Random, from: readonly T[]): T {
  const chosen = from[random(from.length)];
  if (chosen === undefined) throw new Error('Nothing to pick from');
  return chosen;
}

const SNIPPETS = [
  ...[
    '',
    '-',
    '--',
    '=',
    'true',
    'false',
    'null',
    '0',
    '-1',
    '65536',
    '1e9',
    '0x_1',
    '10.3.0.0/16',
    'fc00::/48',
    '::',
  ],
  ...[
    '::/0',
    '0.0.0.0/0',
    'eth0',
    '[',
    '(?P<',
    '\\',
    '"',
    "'",
    '{',
    '}',
    ']',
    ',',
    ':',
    '\n',
    '\0',
    '\u001b[2J',
    '\ud800',
  ],
  ...[
    '__proto__',
    'constructor',
    '"Network"',
    '"Backend"',
    '"Type"',
    '"vxlan"',
    '"VNI"',
    'FLANNEL_SUBNET=',
    '/',
    '..',
    '#',
  ],
  ...['FLANNEL_NETWORK=', '10.42.1.1/24', '\uFEFF', '\\u00', '$', '`', 'x'.repeat(300), '\u2028', ' '],
];

function garbage(random: Random, pieces: number): string {
  let text = '';
  for (let i = random(pieces + 1); i > 0; i--) {
    text += random(4) === 0 ? String.fromCharCode(random(0x300)) : pick(random, SNIPPETS);
  }
  return text;
}

function expectOneLine(error: ConfigError): void {
  const line = describeConfigError(error);
  expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
  expect(line.length).toBeLessThan(600);
}

function randomArgument(random: Random): string {
  const dashes = pick(random, ['-', '--', '---', '']);
  const name = random(5) === 0 ? garbage(random, 2) : pick(random, FLAGS).name;
  return random(6) === 0 ? garbage(random, 3) : dashes + name + pick(random, ['', '=']) + garbage(random, 2);
}

test('parseSettings() has an answer to random command lines and environments', () => {
  const random = randomFrom(seed);
  let accepted = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const argv = Array.from({ length: random(5) }, () => randomArgument(random));
    const env =
      random(3) === 0
        ? { [environmentName(pick(random, FLAGS))]: garbage(random, 2), NODE_NAME: garbage(random, 1) }
        : {};
    const parsed = parseSettings({ argv: ['--lease-db=l', ...argv], env, hostName: 'a', cwd: '/' });
    if (!parsed.ok) expectOneLine(parsed.error);
    else if (parsed.value.kind === 'settings') accepted++;
  }
  expect(accepted).toBeGreaterThan(ROUNDS / 100);
});

const VALID = [
  '{"Network":"10.3.0.0/16","SubnetLen":26,"SubnetMin":"10.3.1.64","SubnetMax":"10.3.9.0","Backend":{"Type":"vxlan","VNI":7}}',
  '{"Network":"10.3.0.0/16","EnableIPv6":true,"IPv6Network":"fc00::/48","IPv6SubnetLen":80,"Backend":{"Type":"host-gw"}}',
  '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fc00::/48","x":[1,{"y":"\\u00e4"}],"Backend":{"Type":"udp","MTU":1400}}',
];

function mutated(random: Random, text: string): string {
  const at = random(text.length + 1);
  const end = Math.min(text.length, at + random(4));
  return text.slice(0, at) + garbage(random, 2) + text.slice(end);
}

describe('parseNetConf() has an answer', () => {
  test('parseNetConf() to random and to damaged texts, and what it accepts keeps the rules', () => {
    const random = randomFrom(seed + 1);
    let accepted = 0;
    for (let i = 0; i < ROUNDS; i++) {
      let text = random(4) === 0 ? garbage(random, 20) : pick(random, VALID);
      for (let changes = random(4); changes > 0; changes--) text = mutated(random, text);
      const parsed = parseNetConf(text);
      if (!parsed.ok) {
        expectOneLine(parsed.error);
        continue;
      }
      accepted++;
      const { ipv4, ipv6 } = parsed.value.config;
      expect(ipv4 ?? ipv6).toBeDefined();
      for (const family of [ipv4, ipv6]) {
        if (family === undefined) continue;
        expect(prefixContains(family.network, family.subnetMin)).toBeTrue();
        expect(prefixContains(family.network, family.subnetMax)).toBeTrue();
        expect(ipToBigint(family.subnetMin) <= ipToBigint(family.subnetMax)).toBeTrue();
      }
    }
    expect(accepted).toBeGreaterThan(ROUNDS / 20);
  });

  test('parseJsonText() accepts just what JSON.parse() accepts', () => {
    const random = randomFrom(seed + 2);
    for (let i = 0; i < ROUNDS; i++) {
      const text = random(2) === 0 ? garbage(random, 8) : mutated(random, pick(random, VALID));
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      expect([text, parseJsonText(text).ok]).toEqual([text, isJson]);
    }
  });
});

test('readSubnetEnv() has an answer to random and to damaged files', () => {
  const random = randomFrom(seed + 3);
  const valid =
    'FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';
  let found = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const read = readSubnetEnv(random(3) === 0 ? garbage(random, 20) : mutated(random, valid));
    if (read.ipv4.subnet !== undefined) found++;
    expect(read.ipv4.networks).toBeArray();
  }
  expect(found).toBeGreaterThan(ROUNDS / 10);
});
