import { beforeEach, expect, test } from 'bun:test';
import { IptablesKeeper, type IptablesLook } from '../../../src/iptables/keeper.ts';
import { FakeClock } from '../../sim/fake-clock.ts';

let clock: FakeClock;
let answer: IptablesLook;
let looks: number;
let ready: number;
let told: string[];
let keeper: IptablesKeeper;

const MADE = { kind: 'made', was: 'chain FLANNEL-FWD was missing' } as const;

beforeEach(() => {
  clock = new FakeClock();
  [answer, looks, ready, told] = [MADE, 0, 0, []];
  keeper = new IptablesKeeper({
    clock,
    random: () => 0.5,
    look: async () => {
      looks++;
      return answer;
    },
    onReady: () => void ready++,
    onRepaired: (was) => told.push(was),
    onProblem: (problem) => problem !== undefined && told.push(problem.code),
  });
});

/** How many looks there are after so long. */
async function after(ms: number): Promise<number> {
  const before = looks;
  await clock.advance(ms);
  return looks - before;
}

test('what is wanted is made at once, and is no repair; until then the node is not ready', async () => {
  keeper.heard();
  expect(await after(1_000)).toBe(0);
  keeper.want([]);
  expect(keeper.problems().map(({ code }) => code)).toEqual(['starting']);
  expect(await after(0)).toBe(1);
  expect({ problems: keeper.problems(), ready, told }).toEqual({ problems: [], ready: 1, told: [] });
});

test('many events are one look; a pass has one made when the last is old', async () => {
  keeper.want([]);
  await after(0);
  answer = { kind: 'right' };
  for (let i = 0; i < 100; i++) keeper.heard();
  expect(await after(1_000)).toBe(1);
  for (let i = 0; i < 50; i++) {
    keeper.ensure();
    expect(await after(1_000)).toBe(0);
  }
  await after(10_000);
  keeper.ensure();
  expect(await after(1_000)).toBe(1);
  expect({ ready, told }).toEqual({ ready: 1, told: [] });
});

test('whoever changes the rules again and again is answered more and more slowly, until there is peace', async () => {
  keeper.want([]);
  await after(0);
  for (let i = 0; i < 100; i++) {
    keeper.heard();
    await after(100);
  }
  const busy = told.length;
  expect(busy).toBeGreaterThan(3);
  expect(busy).toBeLessThan(15);
  await after(61_000);
  keeper.heard();
  expect(await after(20)).toBe(1);
});

test('a failure is told and tried again, more and more slowly, and is over when it works', async () => {
  answer = { kind: 'failed', reason: 'iptables-restore ended with 4' };
  keeper.want([]);
  expect(await after(60_000)).toBeLessThan(10);
  expect(keeper.problems()[0]?.message).toBe(
    'Cannot make the traffic rules with iptables: iptables-restore ended with 4',
  );
  expect(ready).toBe(0);
  answer = MADE;
  await after(60_000);
  expect({ problems: keeper.problems(), ready }).toEqual({ problems: [], ready: 1 });
  expect(await after(600_000)).toBe(0);
});
