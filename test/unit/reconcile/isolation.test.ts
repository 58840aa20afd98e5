import { expect, test } from 'bun:test';
import { changesOf, Rig } from '../../sim/rig.ts';
import { ip, leaseOf, macOf } from '../../sim/samples.ts';

/** The longest that the engine waits before it tries again, and a little more. */
const RETRY_MS_MAX = 61_000;

function failures(rig: Rig): string[] {
  return [...rig.reconciler.failures()].map(({ name }) => name);
}

function lines(rig: Rig, part: string): string[] {
  return rig.ours().filter((line) => line.includes(part));
}

function isGoodFor(rig: Rig, bad: (line: string) => boolean): void {
  const missing = rig.wantedLines().filter((line) => !rig.ours().includes(line));
  expect(missing.length).toBeGreaterThan(0);
  expect(missing.filter((line) => !bad(line))).toEqual([]);
}

test('one bad peer holds up no other, and is named', async () => {
  const rig = new Rig({ peers: 50 });
  rig.refuse((key) => key.includes('10.42.20.0'));
  rig.replan();
  rig.tell('all');
  await rig.run(100);
  isGoodFor(rig, (line) => line.includes('10.42.20.0'));
  expect(failures(rig)).toEqual(['node-20']);
  const states = new Map([...rig.reconciler.peers()].map(({ lease, state }) => [lease.node, state]));
  expect(states.get('node-20')).toBe('failed');
  expect([...states.values()].filter((state) => state === 'programmed').length).toBe(49);
  expect(rig.reconciler.converged).toBe(false);
  rig.refuse();
  await rig.run(RETRY_MS_MAX, 1_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(failures(rig)).toEqual([]);
  expect(rig.reconciler.converged).toBe(true);
});

test('one bad family holds up neither the other nor the file', async () => {
  const rig = new Rig({ peers: 5 });
  rig.refuse((key) => key.startsWith('link flannel-v6'));
  rig.replan();
  rig.tell('all');
  await rig.run(100);
  isGoodFor(rig, (line) => line.includes('v6') || line.includes('fd42'));
  expect(lines(rig, 'subnet.env').length).toBe(1);
  expect(failures(rig)).toContain('link flannel-v6.1');
  rig.refuse();
  await rig.run(RETRY_MS_MAX, 1_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.reconciler.converged).toBe(true);
});

test('a file that cannot be written holds up nothing and is tried again', async () => {
  const rig = new Rig({ peers: 5 });
  rig.refuse((key) => key.startsWith('file'));
  rig.replan();
  rig.tell('all');
  await rig.run(1_000);
  isGoodFor(rig, (line) => line.startsWith('file'));
  expect(rig.reconciler.converged).toBe(false);
  rig.refuse();
  await rig.run(RETRY_MS_MAX, 1_000);
  expect(rig.reconciler.converged).toBe(true);
});

test('a removal that fails delays no other lease, and is tried again', async () => {
  const rig = await Rig.converged({ peers: 10 });
  rig.refuse((key, verb) => verb === 'remove' && key.includes('10.42.3.0'));
  rig.change([leaseOf(30)], ['node-3']);
  await rig.run(50);
  expect(rig.ours().filter((line) => !rig.wantedLines().includes(line))).toEqual(lines(rig, '10.42.3.0'));
  expect(rig.wantedLines().filter((line) => !rig.ours().includes(line))).toEqual([]);
  expect(failures(rig)).toEqual(
    expect.arrayContaining(['remove route 10.42.3.0/24', 'remove neighbour 10.42.3.0 dev flannel.1']),
  );
  expect(rig.reconciler.converged).toBe(false);
  rig.change([leaseOf(31)]);
  await rig.run(50);
  expect(lines(rig, '10.42.31.0').length).toBe(2);
  rig.refuse();
  await rig.run(RETRY_MS_MAX, 1_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.reconciler.converged).toBe(true);
});

test('what fails is tried again after a while that doubles, with jitter, to a minute', async () => {
  const rig = await Rig.converged({ peers: 1 });
  const triedMs: number[] = [];
  rig.refuse((key) => {
    if (key === 'route 10.42.9.0/24') triedMs.push(rig.clock.monotonicMs());
    return key.includes('10.42.9.0');
  });
  rig.change([leaseOf(9)]);
  await rig.clock.advance(600_000);
  const waits = triedMs.slice(1).map((ms, i) => ms - (triedMs[i] ?? 0));
  for (const [i, wait] of waits.slice(0, 8).entries()) {
    const fullMs = 100 * 2 ** i;
    expect(wait).toBeGreaterThanOrEqual(fullMs / 2 - 1);
    expect(wait).toBeLessThanOrEqual(fullMs + 5);
  }
  expect(Math.max(...waits)).toBeLessThanOrEqual(60_005);
  expect(new Set(waits.map((wait, i) => Math.round(wait / 2 ** i))).size).toBeGreaterThan(3);
});

test('a node object that fails costs a look for each attempt, not one after the other', async () => {
  const rig = new Rig({ peers: 3 });
  rig.refuse((key) => key.startsWith('sysctl'));
  rig.replan();
  rig.tell('all');
  await rig.clock.advance(600_000);
  expect(rig.passes.length).toBeLessThan(60);
});

test('a peer that fails stays on the list when another of its objects is repaired', async () => {
  const rig = await Rig.converged({ peers: 3 });
  rig.refuse((key) => key === 'route 10.42.3.0/24');
  const [route] = rig.kernel.routes.all('flannel.1').filter(({ dst }) => dst.startsWith('10.42.3.'));
  if (route === undefined) throw new Error('no route');
  rig.alien.remove(route);
  await rig.run(50);
  rig.alien.remove({ kind: 'neighbour', link: 'flannel.1', ip: ip('10.42.3.0'), mac: macOf(3, 4) });
  rig.hear();
  await rig.clock.advance(10);
  expect(failures(rig)).toEqual(['node-3']);
  rig.refuse();
  await rig.run(30_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('a look that fails is tried again and removes nothing', async () => {
  const rig = await Rig.converged({ peers: 3 });
  const before = rig.ours();
  rig.blind({ kind: 'other', message: 'Cannot read routes: ENOBUFS' });
  rig.target.changes.length = 0;
  rig.reconciler.look('blind');
  await rig.run(5_000);
  expect(rig.asked()).toEqual([]);
  expect(rig.ours()).toEqual(before);
  expect(rig.reconciler.converged).toBe(false);
  expect([...rig.reconciler.failures()][0]?.message).toBe('Cannot read routes: ENOBUFS');
  rig.blind(undefined);
  await rig.run(RETRY_MS_MAX, 1_000);
  expect(rig.reconciler.converged).toBe(true);
});

test('a look at peers that fails keeps the link that routes may still lead to', async () => {
  const rig = await Rig.converged({ peers: 3, families: [4, 6] });
  rig.target.lookFault = (scope) =>
    scope === 'peers' ? { kind: 'other', message: 'Cannot read routes: EINTR' } : undefined;
  rig.replan({ families: [4] });
  await rig.run(5_000);
  expect(lines(rig, 'link flannel-v6.1 address').length).toBe(1);
  rig.blind(undefined);
  await rig.run(RETRY_MS_MAX, 1_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('errors that pass leave no trace', async () => {
  const rig = await Rig.converged({ peers: 20 });
  let refusals = 0;
  rig.refuse((_, verb) => verb !== 'remove' && refusals++ % 3 === 0, 105);
  for (let n = 40; n < 60; n++) rig.set(leaseOf(n));
  rig.tell('all');
  await rig.run(RETRY_MS_MAX, 500);
  rig.refuse();
  await rig.run(RETRY_MS_MAX, 1_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(failures(rig)).toEqual([]);
  const { length } = rig.passes;
  rig.reconciler.look('silent?');
  await rig.run(100);
  expect(rig.passes.slice(length).map(changesOf)).toEqual([0]);
});
