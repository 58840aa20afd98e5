/** A short run of every target, and again what once went wrong. */
import { describe, expect, test } from 'bun:test';
import { fuzz, tried } from './fuzz.ts';
import { spoilText } from './spoil.ts';
import { inputFiles, mustHold, target, textForm } from './target.ts';
import { TARGETS } from './targets.ts';
import { fuzzWatched } from './watch.ts';

const COUNT = 10_000;
/** Set FUZZ_SEED to see a failure again. */
const { FUZZ_SEED } = process.env;
const seed = FUZZ_SEED === undefined ? Date.now() % 2 ** 32 : Number(FUZZ_SEED);
console.log(`FUZZ_SEED=${seed}`);

describe.each([...TARGETS])('$name', (target) => {
  test('spoiled inputs are accepted or refused, and nothing else', async () => {
    const { inputs, accepted, refused, findings } = await fuzzWatched(target, { seed, count: COUNT });
    const told = findings.map(({ index, what, bytes }) => ({
      seed,
      index,
      what,
      text: String(Buffer.from(bytes)),
    }));
    expect(told).toEqual([]);
    expect(accepted + refused).toBe(inputs);
    // Both must be many, or it does not spoil as it should.
    expect(accepted).toBeGreaterThan(COUNT / 20);
    expect(refused).toBeGreaterThan(COUNT / 50);
  }, 120_000);

  test('what once went wrong does so no more', async () => {
    for (const bytes of inputFiles('regressions', target.name)) {
      const outcome = await tried(target.replay(bytes));
      expect({ outcome, text: String(Buffer.from(bytes)) }).toMatchObject({ outcome: expect.any(String) });
    }
  });

  test('an input is the same when it is saved, read and tried again', () => {
    for (let index = 0; index < 50; index++) {
      const { bytes } = target.trial(seed, index);
      expect(target.trial(seed, index).bytes).toEqual(bytes);
      expect(target.replay(bytes).bytes).toEqual(bytes);
    }
  });
});

test('fuzz() finds what a program stumbles over, and its number and bytes show it again', async () => {
  const clumsy = target<string>({
    name: 'clumsy',
    samples: ['{"a":1}'],
    spoil: (random, text) => spoilText(random, text),
    run: (text) => {
      mustHold(!text.includes('__proto__'), 'It stumbles');
      return 'accepted';
    },
    ...textForm,
  });
  const { findings, inputs, accepted } = await fuzz(clumsy, { seed, count: 20_000 });
  expect(findings.length).toBeGreaterThan(0);
  expect(accepted + findings.length).toBe(inputs);
  for (const { index, what, bytes } of findings) {
    expect(what).toStartWith('Error: It stumbles');
    expect(clumsy.trial(seed, index).bytes).toEqual(bytes);
    expect(await tried(clumsy.replay(bytes))).toMatchObject({ what: expect.stringContaining('It stumbles') });
  }
});
