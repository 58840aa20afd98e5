import { expect, test } from 'bun:test';
import { ClaimsKeeper } from '../../../src/agent/claims-keeper.ts';
import { problem } from '../../../src/model/problem.ts';
import type { Claims } from '../../../src/reconcile/target.ts';
import { FakeClock } from '../../sim/fake-clock.ts';

function claims(...links: string[]): Claims {
  return { links: new Set(links), networks: [] };
}

function make() {
  const clock = new FakeClock();
  const kept: string[] = [];
  const told: string[] = [];
  const state = { fails: false };
  const keeper = new ClaimsKeeper({
    clock,
    random: () => 0.5,
    onClaims: ({ links }) => {
      kept.push([...links].join(' '));
      return state.fails ? problem('state-unwritable', 'Disk full') : undefined;
    },
    onProblem: (trouble) => void told.push(trouble?.message ?? 'fine'),
  });
  return { clock, kept, told, state, keeper };
}

test('ClaimsKeeper hands out claims at once', () => {
  const { keeper, kept, clock } = make();
  keeper.keep(claims('flannel.1'), []);
  expect(kept).toEqual(['flannel.1']);
  expect([keeper.problem, clock.pendingCount]).toEqual([undefined, 0]);
});

test('ClaimsKeeper tries again until they are written down', async () => {
  const { keeper, kept, told, state, clock } = make();
  state.fails = true;
  keeper.keep(claims('flannel.1'), []);
  await clock.advance(1_000);
  expect(keeper.problem?.code).toBe('state-unwritable');
  expect(kept.length).toBeGreaterThan(2);
  expect(kept.length).toBeLessThan(8);
  state.fails = false;
  await clock.advance(60_000);
  expect([keeper.problem, told.at(-1), clock.pendingCount]).toEqual([undefined, 'fine', 0]);
});

test('ClaimsKeeper tries again with the last claims only', async () => {
  const { keeper, kept, state, clock } = make();
  state.fails = true;
  keeper.keep(claims('flannel.1'), []);
  keeper.keep(claims('flannel.7'), []);
  kept.length = 0;
  await clock.advance(10_000);
  expect(new Set(kept)).toEqual(new Set(['flannel.7']));
  keeper.stop();
  expect(clock.pendingCount).toBe(0);
});
