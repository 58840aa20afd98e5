import { expect, test } from 'bun:test';
import { showFakeKernel } from '../../contract/fake-world.ts';
import { changesOf, Rig } from '../../sim/rig.ts';
import { HOST_GW, leaseOf, VXLAN } from '../../sim/samples.ts';

/** More changes than one batch holds, so that a pass yields if its time is up. */
const MANY = 200;

/** A rig on which every change costs time. */
function slow(peers: number, msPerChange = 0.1): Rig {
  const rig = new Rig({ peers });
  rig.target.onApply = (changes) => rig.clock.spend(changes.length * msPerChange);
  rig.replan();
  return rig;
}

test('Reconciler answers the first trigger at once', async () => {
  const rig = await Rig.converged({ peers: 2 });
  await rig.clock.advance(10_000);
  const passes = rig.passes.length;
  const startMs = rig.clock.monotonicMs();
  rig.change([leaseOf(9)]);
  expect(rig.clock.nextInMs).toBe(0);
  await rig.clock.advance(0);
  expect(rig.passes.length).toBe(passes + 1);
  expect(rig.clock.monotonicMs()).toBe(startMs);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('Reconciler gathers a flood of triggers into few passes', async () => {
  const rig = await Rig.converged({ peers: 2 });
  await rig.clock.advance(10_000);
  const passes = rig.passes.length;
  for (let i = 0; i < 1_000; i++) {
    rig.change([leaseOf(10 + (i % 200))]);
    rig.reconciler.look('flood');
    if (i % 10 === 0) await rig.clock.advance(0.1);
  }
  await rig.clock.advance(100);
  expect(rig.passes.length - passes).toBeLessThan(10);
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('Reconciler keeps a distance that grows with the cost of a pass, and ends', async () => {
  const rig = slow(MANY);
  rig.tell('all');
  await rig.clock.advance(0);
  const [first] = rig.passes;
  const tookMs = rig.clock.monotonicMs() - (first?.startedMs ?? 0);
  expect(tookMs).toBeGreaterThan(100);
  rig.reconciler.look('another');
  expect(rig.clock.nextInMs).toBeGreaterThan(tookMs);
  expect(rig.clock.nextInMs).toBeLessThanOrEqual(1_000);
});

test('Reconciler says what caused a pass, and how much more did', async () => {
  const rig = await Rig.converged({ peers: 1 });
  for (const cause of ['one', 'two', 'one', 'three', 'four', 'five']) rig.reconciler.look(cause);
  await rig.run(100);
  expect(rig.passes.at(-1)?.cause).toBe('one, two, three and 3 more');
});

test('Reconciler lets other work go first in a long pass, and takes up no plan and no leases meanwhile', async () => {
  const rig = slow(MANY);
  let told = false;
  rig.onYield = () => {
    if (told) return;
    told = true;
    rig.change([leaseOf(250)], ['node-3']);
    rig.replan({ backend: { ...VXLAN, directRouting: true } });
  };
  rig.tell('all');
  await rig.clock.advance(0);
  expect(rig.yields).toBeGreaterThan(2);
  expect(rig.passes.length).toBe(1);
  expect(rig.ours().some((line) => line.includes('10.42.250.0'))).toBe(false);
  expect(rig.reconciler.converged).toBe(false);
  await rig.quiet();
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.reconciler.converged).toBe(true);
});

test('Reconciler changes the backend while a pass for the old one yields', async () => {
  const rig = slow(MANY);
  rig.onYield = () => {
    rig.onYield = () => undefined;
    for (const lease of [...rig.leases.values()])
      rig.set({ ...leaseOf(Number(lease.node.slice(5)), { backendType: 'host-gw' }) });
    rig.replan({ backend: HOST_GW });
    rig.tell('all');
  };
  rig.tell('all');
  await rig.quiet();
  expect(rig.ours()).toEqual(rig.wantedLines());
  expect(rig.ours().some((line) => line.startsWith('link '))).toBe(false);
});

test('Reconciler repairs what breaks while a pass yields', async () => {
  const rig = slow(MANY);
  rig.onYield = () => {
    rig.onYield = () => undefined;
    rig.alien.remove({ ...rig.kernel.links.object(must(rig.kernel.links.get('flannel.1'))) });
    rig.hear();
  };
  rig.tell('all');
  await rig.quiet();
  expect(rig.ours()).toEqual(rig.wantedLines());
});

test('stop() ends a pass at its next yield, and no timer is left', async () => {
  const rig = slow(MANY);
  rig.onYield = () => rig.reconciler.stop();
  rig.tell('all');
  await rig.clock.advance(0);
  const asked = rig.asked().length;
  expect(asked).toBeLessThan(MANY * 6);
  await rig.run(700_000, 10_000);
  expect(rig.asked()).toEqual([]);
  expect({ passes: rig.passes.length, timers: rig.clock.pendingCount }).toEqual({ passes: 0, timers: 0 });
  rig.reconciler.look('too late');
  rig.tell('all');
  await rig.run(1_000);
  expect(rig.asked()).toEqual([]);
});

test('stop() leaves the kernel as it is', async () => {
  const rig = await Rig.converged({ peers: 3 });
  const before = showFakeKernel(rig.kernel);
  rig.reconciler.stop();
  rig.leases.clear();
  rig.tell('all');
  rig.replan({ backend: HOST_GW });
  await rig.run(700_000, 10_000);
  expect(showFakeKernel(rig.kernel)).toEqual(before);
});

test('Reconciler looks at everything now and then, and changes nothing if nothing has changed', async () => {
  const rig = await Rig.converged({ peers: 3 });
  const passes = rig.passes.length;
  await rig.clock.advance(3_600_000);
  const audits = rig.passes.slice(passes);
  expect(audits.length).toBeGreaterThan(5);
  expect(audits.length).toBeLessThanOrEqual(60);
  expect(audits.map(changesOf)).toEqual(audits.map(() => 0));
  expect(rig.clock.pendingCount).toBe(1);
});

test('Reconciler audits less often where a look costs more', async () => {
  const rig = slow(MANY, 0);
  rig.target.onApply = () => undefined;
  rig.target.lookFault = () => {
    rig.clock.spend(10);
    return undefined;
  };
  rig.tell('all');
  await rig.quiet();
  const passes = rig.passes.length;
  await rig.clock.advance(3_600_000);
  const audits = rig.passes.length - passes;
  expect(audits).toBeGreaterThanOrEqual(5);
  expect(audits).toBeLessThan(12);
});

test('Reconciler repairs by its audit what no event told', async () => {
  const rig = await Rig.converged({ peers: 3 });
  const [route] = rig.kernel.routes.all('flannel.1');
  if (route === undefined) throw new Error('no route');
  rig.deaf = true;
  rig.alien.remove(route);
  rig.kernel.files.set('/run/flannel/subnet.env', 'garbage');
  rig.alien.setSysctl('net/ipv6/conf/flannel.1/accept_ra', '1');
  rig.alien.setOffload('flannel.1', 'tx-checksum-ip-generic', true);
  await rig.run(700_000, 10_000);
  expect(rig.ours()).toEqual(rig.wantedLines());
  const repairs = rig.passes.flatMap((pass) => [...pass.repairs.byKind()].map(([kind]) => kind));
  expect(repairs.sort()).toEqual(['file', 'offload', 'route', 'sysctl']);
});

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('Not there');
  return value;
}
