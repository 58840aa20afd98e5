/**
 * What can be fuzzed: a kind of input, how it is spoiled, and what must hold of whatever comes of it.
 *
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pick, type Random, seededRandom } from './random.ts';

/** Whether the program took an input for good; either is an answer. */
export type Verdict = 'accepted' | 'refused';

/** One input on its way through the program. */
export interface Trial {
  /** As it is saved, and read again by {@link Target.replay}. */
  readonly bytes: Uint8Array;
  /** Gives it to the program. @throws if an oracle is hurt, or whatever the program throws */
  readonly run: () => Verdict | Promise<Verdict>;
}

/** A kind of input. */
export interface Target {
  readonly name: string;
  /** The input of a seed and a number: the same for ever, whatever else was tried before. */
  readonly trial: (seed: number, index: number) => Trial;
  /** A saved input. */
  readonly replay: (bytes: Uint8Array) => Trial;
}

/** How a target is described. */
export interface TargetParts<I> {
  readonly name: string;
  /** What there is to spoil, one at least. */
  readonly samples: readonly I[];
  readonly spoil: (random: Random, sample: I, other: I) => I;
  /** `random` is for choices of the oracle: it goes on where spoiling ended. */
  readonly run: (input: I, random: Random) => Verdict | Promise<Verdict>;
  readonly encode: (input: I) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => I;
}

/** Puts a target together. Every eighth input is a sample as it is: a fuzzer that refuses those spoils nothing. */
export function target<I>({ name, samples, spoil, run, encode, decode }: TargetParts<I>): Target {
  const [first, ...others] = samples;
  if (first === undefined) throw new Error(`Nothing to spoil for ${name}`);
  const all = [first, ...others] as const;
  const trial = (input: I, random: Random): Trial => ({
    get bytes() {
      return encode(input);
    },
    run: () => run(input, random),
  });
  return {
    name,
    trial(seed, index) {
      const random = seededRandom(mixed(seed, index));
      const sample = pick(random, all);
      return trial(random(8) === 0 ? sample : spoil(random, sample, pick(random, all)), random);
    },
    replay: (bytes) => trial(decode(bytes), seededRandom(1)),
  };
}

/** An input that is text. */
export const textForm = {
  encode: (text: string) => new TextEncoder().encode(text),
  decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
};

/** An input that is a value, saved as JSON. The inputs are our own, so nothing is checked. */
export function jsonForm<I>() {
  return {
    encode: (value: I) => new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`),
    decode: (bytes: Uint8Array): I => JSON.parse(new TextDecoder().decode(bytes)),
  };
}

/** The files of `corpus/<name>` or `regressions/<name>`, in order of their names. */
export function inputFiles(folder: 'corpus' | 'regressions', name: string): Uint8Array[] {
  const directory = join(import.meta.dir, folder, name);
  try {
    return readdirSync(directory)
      .sort()
      .map((file) => new Uint8Array(readFileSync(join(directory, file))));
  } catch {
    return [];
  }
}

/** Saves an input and gives back where; the name is the same for the same input. */
export function saveInput(directory: string, { name, bytes }: { name: string; bytes: Uint8Array }): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${name}-${Bun.hash(bytes).toString(16).padStart(16, '0')}`);
  writeFileSync(path, bytes);
  return path;
}

/** Fails unless a condition holds that must hold of whatever was put in. */
export function mustHold(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** Neighbouring numbers give generators that have nothing in common (MurmurHash3's finalizer). */
function mixed(seed: number, index: number): number {
  let hash = (seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
