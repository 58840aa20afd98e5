import { expect, test } from 'bun:test';
import { type Key, keyOf } from '../../../src/model/objects.ts';
import { Rig } from '../../sim/rig.ts';

const TABLE = 'table ip flannel-ipv4' as Key;

function repairsOf(rig: Rig): [string, number][] {
  return rig.passes.flatMap(({ repairs }) => [...repairs.byKind()]);
}

function tableOf(rig: Rig) {
  const table = rig.kernel.tables.get(TABLE);
  if (table === undefined) throw new Error('No table');
  return table;
}

test('a table per family is made, and a second look finds nothing to do', async () => {
  const rig = await Rig.converged({ peers: 2, ipMasq: true });
  expect([...rig.kernel.tables.keys()].map(String)).toEqual([TABLE, 'table ip6 flannel-ipv6']);
  rig.asked();
  rig.reconciler.look('audit');
  await rig.quiet();
  expect(rig.asked()).toEqual([]);
});

test('a table that is deleted or changed is put right at once, and counted', async () => {
  const rig = await Rig.converged({ ipMasq: true });
  const table = tableOf(rig);
  rig.kernel.tables.delete(TABLE);
  rig.kernel.events.push({ object: table, gone: true });
  await rig.run(0);
  expect(rig.kernel.tables.get(TABLE)).toEqual(table);
  const empty = { ...table, chains: [] };
  rig.kernel.tables.set(TABLE, empty);
  rig.kernel.events.push({ object: empty, gone: false });
  await rig.quiet();
  expect(rig.kernel.tables.get(TABLE)).toEqual(table);
  expect(repairsOf(rig)).toEqual([
    ['table', 1],
    ['table', 1],
  ]);
});

test('once no rules are wanted the tables go', async () => {
  const rig = await Rig.converged({ ipMasq: true });
  rig.replan({ ipMasq: false, forward: false });
  await rig.quiet();
  expect(rig.kernel.tables.size).toBe(0);
});

test('a table of the name that is of another program stays, and is told', async () => {
  const rig = await Rig.converged({ forward: false });
  const chain = { name: 'x', type: 'filter', hook: 'input', priority: 0, policy: 'drop' } as const;
  const foreign = {
    kind: 'table',
    family: 4,
    name: 'flannel-ipv4',
    comment: undefined,
    dormant: false,
    chains: [{ ...chain, comment: undefined, rules: [] }],
  } as const;
  rig.kernel.tables.set(keyOf(foreign), foreign);
  rig.reconciler.look('audit');
  await rig.quiet();
  expect(rig.kernel.tables.size).toBe(1);
});

test('trouble with rules keeps neither routes nor the subnet file from being made', async () => {
  const rig = new Rig({ peers: 2, ipMasq: true });
  rig.refuse((key) => key.startsWith('table'));
  rig.replan();
  rig.tell('all');
  await rig.run(3_000);
  expect(rig.reconciler.converged).toBe(false);
  expect([...rig.reconciler.failures()].map(({ name }) => name)).toEqual([TABLE, 'table ip6 flannel-ipv6']);
  expect(rig.kernel.files.size).toBe(1);
  expect(rig.reconciler.pendingPeers).toBe(0);
  rig.refuse();
  await rig.quiet();
  expect(rig.reconciler.converged).toBe(true);
});

test('a table that only accepts is told when it cannot be made, tried again, and keeps nothing from being ready', async () => {
  const rig = new Rig({ peers: 2 });
  rig.refuse((key) => key.startsWith('table'));
  rig.replan();
  rig.tell('all');
  await rig.run(3_000);
  expect(rig.reconciler.converged).toBe(true);
  const failures = [...rig.reconciler.failures()];
  expect(failures.map(({ name }) => name)).toEqual([TABLE, 'table ip6 flannel-ipv6']);
  expect(failures.every(({ harmless, attempts }) => harmless && attempts > 1)).toBe(true);
  rig.refuse();
  await rig.quiet();
  expect(rig.kernel.tables.size).toBe(2);
});

test('a quarrel over a table that only accepts keeps nothing from being ready', async () => {
  const rig = await Rig.converged({});
  const table = tableOf(rig);
  for (let round = 0; round < 100; round++) {
    rig.kernel.tables.delete(TABLE);
    rig.kernel.events.push({ object: table, gone: true });
    await rig.run(50);
  }
  rig.kernel.tables.delete(TABLE);
  rig.kernel.events.push({ object: table, gone: true });
  await rig.run(0);
  expect(rig.reconciler.fights().map(({ object, isWaiting }) => ({ object, isWaiting }))).toEqual([
    { object: 'table ip flannel-ipv4', isWaiting: false },
  ]);
  expect(rig.kernel.tables.has(TABLE)).toBe(false);
  expect(rig.reconciler.converged).toBe(true);
});
