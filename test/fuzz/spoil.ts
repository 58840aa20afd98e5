/**
 * Ways to spoil bytes, texts and values: cut, flip, splice, repeat, nest, lie about lengths, break UTF-8, and
 * put in what programs stumble over.
 *
 * @module
 */
import { pick, type Random } from './random.ts';

/** No input grows beyond this: what is long is tried, what is endless is not. */
const LENGTH_MAX = 64 * 1024;

const NUMBERS = [
  ...['0', '-0', '-1', '1', '7', '8', '30', '31', '32', '33', '64', '126', '127', '128', '255', '256'],
  ...['576', '1279', '1280', '1350', '8472', '65535', '65536', '16777215', '16777216', '2147483647'],
  ...['2147483648', '4294967295', '4294967296', '9007199254740991', '9007199254740992', '1e3', '1e308'],
  ...['1e999', '-1e999', '1.0', '0.1', '1e-9', '0x10', '0o17', '0b1', '1_000', '00', '010', '+1', 'NaN'],
  '99999999999999999999999999999999',
] as const;

const TEXTS = [
  ...['', ' ', '\t', '\n', '\r\n', '\0', '"', "'", '\\', '/', '..', '{', '}', '[', ']', ',', ':', '=', '-'],
  ...['--', '#', '$', '`', '%', '%00', '*', '(', '(?P<', '(?:', '+)+$', '\\u0000', '\\ud800', '\\u202e'],
  ...['\ufeff', '\u2028', '\u2029', '\u202e', '\u001b[2J', '\u0085', '\u00ad', '\ud83d\ude00', 'é', 'İ', 'ß'],
  ...['null', 'true', 'false', '{}', '[]', '""', '__proto__', 'constructor', 'prototype', 'toString'],
  ...['"__proto__":', '"constructor":{"prototype":{"x":1}},', 'hasOwnProperty', 'length'],
  ...['0.0.0.0', '0.0.0.0/0', '255.255.255.255', '127.0.0.1', '224.0.0.1', '169.254.1.1', '10.42.0.0/16'],
  ...['10.42.0.1', '010.0.0.1', '1.2.3', '1.2.3.4.5', '10.42.0.0/33', '10.42.0.0/-1', '10.42.0.0/016'],
  ...['::', '::/0', '::1', 'ff02::1', 'fe80::1%eth0', 'fd42::/48', 'fd42::1', '::ffff:10.42.0.1', '1::2::3'],
  ...['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '0A-58-00-00-00-01', 'x'.repeat(300)],
] as const;

/** Spoils a text one to four times; `words` are those of its language, `other` a text to splice with. */
export function spoilText(
  random: Random,
  text: string,
  { words = [], other = '' }: { readonly words?: readonly string[]; readonly other?: string } = {},
): string {
  let spoiled = text;
  for (let times = 1 + random(4); times > 0; times--) spoiled = spoilOnce(random, spoiled, { words, other });
  return spoiled.slice(0, LENGTH_MAX);
}

function spoilOnce(
  random: Random,
  text: string,
  { words, other }: { readonly words: readonly string[]; readonly other: string },
): string {
  const at = random(text.length + 1);
  const end = Math.min(text.length, at + random(pick(random, [2, 8, 32])));
  const replaced = (piece: string) => text.slice(0, at) + piece + text.slice(end);
  switch (random(11)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return replaced('');
    case 2:
      return replaced(random(2) === 0 ? pick(random, TEXTS) : (words[random(words.length || 1)] ?? '{'));
    case 3:
      return replaced(String.fromCodePoint(random(pick(random, [0x80, 0x300, 0x10000, 0x110000]))));
    case 4:
      return text.slice(0, at) + other.slice(random(other.length + 1));
    case 5:
      return replaced(text.slice(at, end).repeat(2 + random(pick(random, [3, 200]))));
    case 6:
      return otherNumber(random, text);
    case 7:
      return nested(random, text, { at, end });
    case 8:
      return spoilUtf8(random, text);
    case 9:
      return replaced(
        random(2) === 0 ? text.slice(at, end).toUpperCase() : text.slice(at, end).toLowerCase(),
      );
    default:
      return replaced(pick(random, NUMBERS));
  }
}

/** Puts an interesting number in the place of one of the text's. */
function otherNumber(random: Random, text: string): string {
  const numbers = [...text.slice(0, 4096).matchAll(/-?\d+/g)];
  const chosen = numbers[random(numbers.length || 1)];
  if (chosen === undefined) return text + pick(random, NUMBERS);
  return text.slice(0, chosen.index) + pick(random, NUMBERS) + text.slice(chosen.index + chosen[0].length);
}

function nested(random: Random, text: string, { at, end }: { at: number; end: number }): string {
  const depth = 1 + random(pick(random, [3, 120, 5_000]));
  const [open, close] = pick<readonly [string, string]>(random, [
    ['[', ']'],
    ['{"a":', '}'],
    ['(', ')'],
  ]);
  const inner = text.slice(at, end);
  return `${text.slice(0, at)}${open.repeat(depth)}${inner}${random(3) > 0 ? close.repeat(depth) : ''}${text.slice(end)}`;
}

/** What a text becomes if its bytes are spoiled and read as UTF-8 all the same. */
function spoilUtf8(random: Random, text: string): string {
  return new TextDecoder().decode(spoilBytes(random, new TextEncoder().encode(text.slice(0, 4096))));
}

/** Spoils bytes one to four times: bits, cuts, lying 16-bit lengths, runs, repeats, pieces of `other`. */
export function spoilBytes(random: Random, original: Uint8Array, other = original): Uint8Array {
  let bytes = original.slice();
  for (let times = 1 + random(4); times > 0 && bytes.length > 0; times--) {
    const at = random(bytes.length);
    const aligned = at & ~3;
    switch (random(6)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        bytes = bytes.slice(0, at);
        break;
      case 2: {
        // An attribute's length stands at a multiple of four.
        const length = pick(random, [0, 1, 2, 3, 4, 5, 7, 8, 0xffff, random(64), random(65536)]);
        if (aligned + 2 <= bytes.length) new DataView(bytes.buffer).setUint16(aligned, length, true);
        break;
      }
      case 3:
        bytes.fill(pick(random, [0, 0xff]), at, at + 1 + random(8));
        break;
      case 4:
        bytes = joined(bytes.subarray(0, aligned), other.subarray(random(other.length + 1) & ~3));
        break;
      default:
        bytes = joined(bytes.subarray(0, aligned), bytes.subarray(aligned >> 1));
    }
  }
  return bytes.slice(0, LENGTH_MAX / 2);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}

/** A value that JSON may hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Puts something else in the place of a part of a value: another type, a spoiled text, a strange number. */
export function spoilValue(random: Random, value: Json, words: readonly string[] = []): Json {
  if (random(8) === 0) return strangeValue(random);
  if (typeof value === 'string') return spoilText(random, value, { words });
  if (typeof value !== 'object' || value === null) return strangeValue(random);
  if (isList(value)) return spoilList(random, value, words);
  const keys = Object.keys(value);
  const key = keys[random(keys.length || 1)];
  const part = key === undefined ? undefined : value[key];
  if (key === undefined || part === undefined) return strangeValue(random);
  return { ...value, [key]: spoilValue(random, part, words) };
}

function spoilList(random: Random, list: readonly Json[], words: readonly string[]): readonly Json[] {
  const at = random(list.length + 1);
  const before = list.slice(0, at);
  const part = list[at];
  switch (random(4)) {
    case 0:
      return [...before, ...list.slice(at + 1)];
    case 1:
      return [
        ...before,
        random(2) === 0 ? pick(random, TEXTS) : (words[random(words.length || 1)] ?? ''),
        ...list.slice(at),
      ];
    case 2:
      return [...before, ...list.slice(random(list.length + 1))].slice(0, 64);
    default:
      return part === undefined ? list : [...before, spoilValue(random, part, words), ...list.slice(at + 1)];
  }
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function strangeValue(random: Random): Json {
  const numbers = [0, -1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308] as const;
  return pick(random, [
    null,
    true,
    pick(random, TEXTS),
    pick(random, NUMBERS),
    pick(random, numbers),
    [],
    {},
    [pick(random, TEXTS)],
    { ['__proto__']: pick(random, TEXTS) },
  ]);
}
