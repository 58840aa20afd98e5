import { expect, test } from 'bun:test';
import { FlanneldRulesKeeper } from '../../../src/leftovers/keeper.ts';
import { FLANNELD_CHAINS, type FlanneldRules, type NotRemoved } from '../../../src/model/flanneld-rules.ts';

const [MASQUERADE, FORWARD] = FLANNELD_CHAINS.map(
  (chain): FlanneldRules => ({ variant: 'legacy', family: 4, chain }),
);
if (MASQUERADE === undefined || FORWARD === undefined) throw new Error('No chains');

/** A keeper, what it sees, and what it has done. */
function rig() {
  const seen = {
    nowMs: 0,
    ready: true,
    found: [MASQUERADE, FORWARD] as FlanneldRules[],
    flanneld: undefined as number | undefined,
    why: undefined as NotRemoved | undefined,
    looks: 0,
    removed: 0,
    told: [] as (string | undefined)[],
  };
  const keeper = new FlanneldRulesKeeper({
    monotonicMs: () => seen.nowMs,
    isReady: () => seen.ready,
    find: async () => {
      seen.looks++;
      return seen.found;
    },
    flanneld: async () => seen.flanneld,
    remove: async () => seen.why,
    onRemoved: () => void seen.removed++,
    onProblem: (problem) => void seen.told.push(problem?.message),
  });
  /** Passes, one after the other. */
  const passes = async (count: number, stepMs = 0) => {
    for (let pass = 0; pass < count; pass++) {
      keeper.ensure();
      await Bun.sleep(0);
      seen.nowMs += stepMs;
    }
  };
  return { seen, keeper, passes };
}

test('nothing is removed before the node has rules of its own, and nothing is looked for after', async () => {
  const { seen, keeper, passes } = rig();
  seen.ready = false;
  await passes(3, 60_000);
  expect(seen.looks).toBe(0);
  seen.ready = true;
  await passes(5, 60_000);
  expect(seen).toMatchObject({ looks: 1, removed: 2, told: [undefined] });
  expect(keeper.problems()).toEqual([]);
});

test('what is not removed is looked for again once a minute, and told until it is gone', async () => {
  const { seen, keeper, passes } = rig();
  seen.why = 'no-program';
  await passes(10, 1_000);
  expect(seen.looks).toBe(1);
  expect(keeper.problems().map(({ code }) => code)).toEqual(['flanneld-rules', 'flanneld-rules']);
  await passes(60, 1_000);
  expect(seen.looks).toBe(2);
  // By hand.
  seen.found = [];
  await passes(60, 1_000);
  expect({ problems: keeper.problems(), removed: seen.removed }).toEqual({ problems: [], removed: 0 });
  await passes(5, 60_000);
  expect(seen.looks).toBe(3);
});

test('when a flanneld that ran here has ended, what it made is removed', async () => {
  const { seen, keeper, passes } = rig();
  seen.flanneld = 812;
  await passes(1, 60_000);
  expect(keeper.problems()[0]?.message).toBe(
    'flanneld runs here (process 812) and has made FLANNEL-POSTRTG of iptables-legacy: left alone',
  );
  seen.flanneld = undefined;
  await passes(1, 60_000);
  expect({ problems: keeper.problems(), removed: seen.removed }).toEqual({ problems: [], removed: 2 });
});

test('a failure is told with its reason and the command', async () => {
  const { seen, keeper, passes } = rig();
  seen.why = { reason: 'iptables-legacy-restore ended with 4: another has the lock' };
  await passes(1);
  expect(keeper.problems()[0]).toEqual({
    code: 'flanneld-rules',
    message:
      'flanneld has left FLANNEL-POSTRTG of iptables-legacy, and iptables-legacy-restore ended with 4: another has the lock',
    remedy:
      "Remove it by hand, where that program is or in a container that has it: iptables-legacy-save -t nat | grep -v -e '[: ]FLANNEL-POSTRTG' -e '\"flanneld masq\"' | iptables-legacy-restore -T nat",
  });
});
