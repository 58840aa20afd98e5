/** Signs of life are given for work that was done, and for nothing else. @module */
import { expect, test } from 'bun:test';
import { type Proof, Watchdog } from '../../src/watchdog.ts';
import { AgentRig } from '../sim/agent-rig.ts';
import { FakeClock } from '../sim/fake-clock.ts';
import { leaseOf } from '../sim/samples.ts';

const INTERVAL_MS = 60_000;
const WATCHED = { env: { WATCHDOG_USEC: String(INTERVAL_MS * 1_000) } };

interface Kennel {
  readonly clock: FakeClock;
  readonly watchdog: Watchdog;
  readonly asked: Proof[];
  /** When it was fed, in milliseconds. */
  readonly fedMs: number[];
  /** What is proved as soon as it is asked for. */
  readonly willing: Set<Proof>;
}

function makeKennel(...willing: Proof[]): Kennel {
  const clock = new FakeClock();
  const kennel = { clock, asked: [] as Proof[], fedMs: [] as number[], willing: new Set(willing) };
  const watchdog: Watchdog = new Watchdog({
    intervalMs: INTERVAL_MS,
    clock,
    ask: (proof) => {
      kennel.asked.push(proof);
      if (kennel.willing.has(proof)) watchdog.seen(proof);
    },
    feed: () => void kennel.fedMs.push(clock.monotonicMs()),
  });
  return { ...kennel, watchdog };
}

test('Watchdog asks an idle agent for work, and is fed when that is done', async () => {
  const { clock, fedMs, asked } = makeKennel('pass', 'answer');
  await clock.advance(5 * INTERVAL_MS);
  expect(fedMs.slice(0, 3)).toEqual([20_000, 40_000, 60_000]);
  expect(asked.slice(0, 2)).toEqual(['pass', 'answer']);
});

test.each(['pass', 'answer'] as const)('Watchdog is not fed where only %s is proved', async (proof) => {
  const { clock, fedMs, asked, willing, watchdog } = makeKennel(proof);
  await clock.advance(10 * INTERVAL_MS);
  expect(fedMs).toEqual([]);
  expect(asked.filter((each) => each !== proof).length).toBe(30);
  // What was asked for comes late, but it comes.
  willing.add('pass').add('answer');
  watchdog.seen(proof === 'pass' ? 'answer' : 'pass');
  expect(fedMs).toEqual([10 * INTERVAL_MS]);
});

test('Watchdog is fed by what is done unasked, and does not repeat itself', async () => {
  const { clock, fedMs, asked, watchdog } = makeKennel();
  for (let i = 0; i < 1_000; i++) {
    watchdog.seen('pass');
    watchdog.seen('answer');
    await clock.advance(100);
  }
  expect(asked).toEqual([]);
  expect(fedMs.length).toBe(7);
  watchdog.stop();
  expect(clock.pendingCount).toBe(0);
});

test('an idle agent feeds its watchdog, and costs no timer where there is none', async () => {
  const watched = await AgentRig.started(WATCHED);
  const count = () => watched.told.filter((text) => text.startsWith('WATCHDOG=1')).length;
  const before = count();
  for (let i = 1; i <= 10; i++) {
    await watched.run(INTERVAL_MS, 1_000);
    expect(count()).toBeGreaterThanOrEqual(before + 2 * i);
  }
  expect(watched.told.filter((text) => !text.startsWith('WATCHDOG=1')).length).toBeLessThan(4);
  const unwatched = await AgentRig.started();
  expect(watched.clock.pendingCount - unwatched.clock.pendingCount).toBe(1);
});

test('an agent that waits for its interface feeds its watchdog, and asks for time', async () => {
  const rig = new AgentRig(WATCHED);
  rig.unplug();
  rig.agent.start();
  await rig.run(3 * INTERVAL_MS, 1_000);
  expect(rig.codes()).toEqual(['interface-missing']);
  const signs = rig.told.filter((text) => text === 'WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000');
  expect(signs.length).toBeGreaterThan(5);
  expect(rig.told).toContain(
    'STATUS=Not ready: No default route and no interface with a usable address. ' +
      'Plug the cable in or name another interface with --iface; the agent follows by itself',
  );
});

test('an agent whose pass hangs feeds nothing, although it answers', async () => {
  const rig = await AgentRig.started(WATCHED);
  // A large change is made in parts, between which it lets others go first.
  for (let n = 2; n < 250; n++) rig.source.peers.set(`node-${n}`, leaseOf(n));
  rig.target.onApply = () => rig.clock.spend(1_000);
  rig.yieldNow = () => new Promise(() => undefined);
  rig.source.tell('all');
  await rig.run(1_000);
  const before = rig.told.length;
  await rig.run(10 * INTERVAL_MS, 1_000);
  expect(rig.codes()).toContain('peer-pending');
  // The pass before the last sign may stand for one more, and that is all.
  const signs = rig.told.slice(before).filter((text) => text.startsWith('WATCHDOG=1'));
  expect(signs.length).toBeLessThan(2);
});
