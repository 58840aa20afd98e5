import { expect, test } from 'bun:test';
import { backOffMs } from '../../../src/model/back-off.ts';

test('backOffMs() doubles from 100 ms to a minute, each time between half and the whole', () => {
  const [shortest, longest] = [() => 0, () => 0.999_999];
  for (let failures = 1; failures < 40; failures++) {
    const full = Math.min(60_000, 100 * 2 ** (failures - 1));
    expect(backOffMs(failures, { random: shortest })).toBe(full / 2);
    expect(backOffMs(failures, { random: longest })).toBeLessThan(full);
    expect(backOffMs(failures, { random: longest })).toBeGreaterThan(full * 0.99);
  }
  expect(backOffMs(1_000_000, { random: longest })).toBeLessThan(60_000);
});

test('backOffMs() takes other bounds', () => {
  const delays = [1, 2, 3, 10].map((failures) =>
    backOffMs(failures, { random: () => 0, firstMs: 1_000, longestMs: 30_000 }),
  );
  expect(delays).toEqual([500, 1_000, 2_000, 15_000]);
});
