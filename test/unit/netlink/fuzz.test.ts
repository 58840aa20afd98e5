/**
 * A short run of the netlink fuzzer.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import { fuzzNetlink, readSamples } from '../../fuzz/netlink.ts';

const MUTATIONS = 50_000;

test('read() of spoiled messages gives a value or a DecodeError', () => {
  const { FUZZ_SEED } = process.env;
  const seed = Number(FUZZ_SEED ?? Date.now() % 2 ** 32);
  console.log(`FUZZ_SEED=${seed}`);
  const { values, refusals } = fuzzNetlink({ seed, mutations: MUTATIONS, samples: readSamples() });
  expect(values + refusals).toBe(MUTATIONS);
  // Both must be many, or it does not spoil as it should.
  expect(values).toBeGreaterThan(MUTATIONS / 10);
  expect(refusals).toBeGreaterThan(MUTATIONS / 10);
}, 60_000);
