import { expect, test } from 'bun:test';
import { OneAtATime } from '../../../src/model/one-at-a-time.ts';
import { settled } from '../../sim/fake-clock.ts';

test('what is asked for meanwhile is done once more, however often it is asked for, and never twice at a time', async () => {
  const ends: (() => void)[] = [];
  const work = new OneAtATime(() => new Promise((resolve) => ends.push(resolve)));
  const end = async () => {
    ends.at(-1)?.();
    await settled();
  };
  work.ask();
  work.ask();
  work.ask();
  expect(ends.length).toBe(1);
  await end();
  expect(ends.length).toBe(2);
  await end();
  expect(ends.length).toBe(2);
  work.ask();
  expect(ends.length).toBe(3);
});
