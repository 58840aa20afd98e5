import { describe, expect, test } from 'bun:test';
import { Dirt } from '../../../src/reconcile/dirt.ts';
import { Holds } from '../../../src/reconcile/holds.ts';
import { Pass } from '../../../src/reconcile/pass.ts';
import { Retries } from '../../../src/reconcile/retries.ts';
import type { Change, Failure } from '../../../src/reconcile/target.ts';
import { peerFdb, peerNeighbour, tunnelRoute } from '../../contract/kinds.ts';

const FAILURE: Failure = { kind: 'other', message: 'Cannot' };

describe('Retries', () => {
  test('knows each by its name', () => {
    const retries = new Retries(() => 0);
    retries.failed('a', FAILURE, { nowMs: 1_000 });
    retries.failed('b', FAILURE, { nowMs: 1_020 });
    retries.failed('a', { ...FAILURE, message: 'Again' }, { nowMs: 1_100 });
    expect(retries.get('a')).toEqual({
      failure: { kind: 'other', message: 'Again' },
      attempts: 2,
      sinceMs: 1_000,
      dueMs: 1_200,
      slots: 0,
    });
    expect(retries.nextMs()).toBe(1_070);
    expect(retries.due(1_069)).toEqual([]);
    expect(retries.due(1_070)).toEqual(['b']);
    expect(retries.due(5_000)).toEqual(['a', 'b']);
    retries.cleared('b');
    retries.cleared('nobody');
    expect([...retries.entries()].map(([name]) => name)).toEqual(['a']);
    retries.cleared('a');
    expect([retries.size, retries.nextMs()]).toEqual([0, undefined]);
    retries.failed('a', FAILURE, { nowMs: 9_000 });
    expect(retries.get('a')).toMatchObject({ attempts: 1, sinceMs: 9_000 });
  });

  test('knows which objects of a peer fail', () => {
    const retries = new Retries(() => 0);
    retries.failed('a', FAILURE, { nowMs: 0, slots: 0b001 });
    retries.failed('a', FAILURE, { nowMs: 0, slots: 0b110 });
    retries.cleared('a', 0b011);
    expect(retries.get('a')?.slots).toBe(0b100);
    retries.cleared('a', 0b011);
    expect(retries.size).toBe(1);
    retries.cleared('a', 0b100);
    expect(retries.size).toBe(0);
    retries.failed('a', FAILURE, { nowMs: 0, slots: 0b111 });
    retries.cleared('a');
    expect(retries.size).toBe(0);
  });
});

describe('Dirt', () => {
  test('is clean until something happens', () => {
    const dirt = new Dirt();
    expect([dirt.pending, dirt.cause]).toEqual([false, '']);
    dirt.slot('a', 1, 'x');
    expect([dirt.pending, dirt.full, dirt.cause]).toEqual([true, false, 'x']);
  });

  test('gathers names, and all is all', () => {
    const dirt = new Dirt();
    dirt.leases(new Set(['a', 'b']), 'one');
    dirt.leases(new Set(['b', 'c']), 'two');
    expect(dirt.names).toEqual(new Set(['a', 'b', 'c']));
    dirt.leases('all', 'three');
    dirt.leases(new Set(['d']), 'four');
    expect(dirt.names).toBe('all');
  });

  test('gathers slots as bits', () => {
    const dirt = new Dirt();
    dirt.slot('a', 0b001, 'x');
    dirt.slot('a', 0b100, 'x');
    dirt.slot('b', ~0, 'x');
    expect([dirt.slots.get('a'), dirt.slots.get('b')]).toEqual([0b101, ~0]);
  });

  test('does not take over a set that its owner goes on changing', () => {
    const dirt = new Dirt();
    const names = new Set(['a']);
    dirt.leases(names, 'x');
    names.add('b');
    expect(dirt.names).toEqual(new Set(['a']));
  });

  test('names a few causes and counts the others', () => {
    const dirt = new Dirt();
    for (let i = 0; i < 1_000; i++) dirt.everything(`cause ${i}`);
    expect(dirt.cause).toBe('cause 0, cause 1, cause 2 and 997 more');
  });
});

describe('Holds', () => {
  const many = ['a', 'b', 'c', 'd'];

  test('lets a few go at once, and many with the next list', () => {
    const holds = new Holds();
    holds.listed();
    expect(holds.release(['a', 'b'], 4)).toEqual(['a', 'b']);
    expect(holds.release(many, 4)).toEqual([]);
    expect(holds.count).toBe(4);
    expect(holds.release(many, 4)).toEqual([]);
    holds.listed();
    expect(holds.release([...many, 'e'], 5)).toEqual(many);
    expect(holds.count).toBe(1);
  });

  test('asks for a list once after each', () => {
    const holds = new Holds();
    holds.listed();
    expect(holds.takeNeed()).toBe(false);
    holds.release(many, 4);
    expect([holds.takeNeed(), holds.takeNeed()]).toEqual([true, false]);
    holds.listed();
    expect([holds.takeNeed(), holds.takeNeed()]).toEqual([true, false]);
    for (const node of many) holds.returned(node);
    holds.listed();
    expect(holds.takeNeed()).toBe(false);
  });

  test('begins anew with a node that came back', () => {
    const holds = new Holds();
    holds.listed();
    holds.release(many, 4);
    for (const node of many) holds.returned(node);
    holds.listed();
    expect(holds.release(many, 4)).toEqual([]);
  });

  test('holds strays until a list has come since they were found', () => {
    const holds = new Holds();
    holds.listed();
    expect(holds.releaseStrays(3, false)).toBe(true);
    expect(holds.releaseStrays(9, true)).toBe(false);
    expect(holds.releaseStrays(9, true)).toBe(false);
    expect([holds.hasStrays, holds.count]).toEqual([true, 9]);
    holds.listed();
    expect(holds.releaseStrays(9, true)).toBe(true);
    expect([holds.hasStrays, holds.count]).toEqual([false, 0]);
    expect(holds.releaseStrays(9, true)).toBe(false);
  });

  test('forgets strays that are gone', () => {
    const holds = new Holds();
    holds.listed();
    holds.releaseStrays(9, true);
    holds.releaseStrays(0, false);
    expect(holds.count).toBe(0);
    holds.listed();
    expect(holds.releaseStrays(9, true)).toBe(false);
  });
});

describe('Pass', () => {
  const changes: Change[] = [
    { verb: 'create', object: tunnelRoute(2, 4), why: 'was missing' },
    { verb: 'replace', object: peerFdb(2, 4), why: 'was changed' },
    { verb: 'remove', object: peerNeighbour(2, 4), why: 'not wanted' },
    { verb: 'recreate', object: peerNeighbour(3, 4), why: 'vni was 2, not 1' },
  ];

  test('counts what was done and what failed, and tells of each in order', () => {
    const pass = new Pass('test', 0);
    const seen: string[] = [];
    const target = { observe: () => undefined, apply: () => new Map([[2, FAILURE]]) };
    pass.apply(target, changes, ({ verb }, failure) => seen.push(`${verb} ${failure !== undefined}`));
    expect(seen).toEqual(['create false', 'replace false', 'remove true', 'recreate false']);
    const { created, updated, removed, failed, failures } = pass;
    expect({ created, updated, removed, failed, failures }).toEqual({
      created: 1,
      updated: 2,
      removed: 0,
      failed: 1,
      failures: [FAILURE],
    });
  });

  test('asks for nothing if there is nothing to do', () => {
    const pass = new Pass('test', 0);
    const apply = () => {
      throw new Error('asked');
    };
    pass.apply({ observe: () => undefined, apply }, []);
  });

  test('keeps only a few lines of each sort', () => {
    const pass = new Pass('test', 0);
    for (let i = 0; i < 100; i++) {
      pass.fail(FAILURE);
      for (const change of changes) pass.repaired(change);
    }
    expect(pass.failures.length).toBeLessThan(10);
    expect(pass.repairLines.length).toBeLessThan(10);
    expect([pass.failed, pass.repairs.total]).toEqual([100, 400]);
    expect(Object.fromEntries(pass.repairs.byKind())).toEqual({ route: 100, fdb: 100, neighbour: 200 });
    expect(pass.repairLines[0]).toBe('route 10.42.2.0/24 via 10.42.2.0 dev flannel.1 onlink (was missing)');
  });
});
