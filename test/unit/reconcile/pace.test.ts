import { expect, test } from 'bun:test';
import { Pace } from '../../../src/reconcile/pace.ts';

test('Pace lets three short passes follow one another, then keeps twice their length', () => {
  const pace = new Pace();
  expect(pace.ended(0, 15)).toBe(17);
  expect(pace.ended(17, 15)).toBe(34);
  expect(pace.ended(34, 15)).toBe(51);
  expect(pace.ended(51, 15)).toBe(96);
  expect(pace.ended(1_000, 15)).toBe(1_017);
});

test('Pace keeps a distance after a long pass, of a second at most', () => {
  expect(new Pace().ended(0, 100)).toBe(300);
  expect(new Pace().ended(0, 5_000)).toBe(6_000);
});
