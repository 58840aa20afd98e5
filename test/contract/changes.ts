/**
 * Contract: every kind of object can be made, seen, changed in place where the engine says so, and removed.
 *
 * @module
 */
import { expect, test } from 'bun:test';
import type { KernelObject } from '../../src/model/objects.ts';
import { difference } from '../../src/reconcile/diff.ts';
import { change, differenceIn, failuresOf, find, make, succeed } from './hands.ts';
import { type ChangeCase, type KindCase, kindCases, OTHER_LINK, peerFdb, upLink } from './kinds.ts';
import { lineOf, type OpenWorld, scopeOf, UNDERLAY, type World } from './world.ts';

/** See the module. */
export function changesContract(open: OpenWorld): void {
  // The cases are named before there is a world.
  for (const [i, { name, changes }] of kindCases('').entries()) {
    test(`${name}: made, seen as wanted, removed`, () => {
      using world = open();
      makeAndRemove(world, caseAt(world, i));
    });
    for (const [j, { what, verb }] of changes.entries()) {
      test(`${name}: another ${what} is a ${verb}`, () => {
        using world = open();
        const kind = caseAt(world, i);
        const changed = kind.changes[j];
        if (changed !== undefined) changeInto(world, kind, changed);
      });
    }
  }
}

function caseAt(world: World, i: number): KindCase {
  const found = kindCases(world.directory)[i];
  if (found === undefined) throw new RangeError(`No case ${i}`);
  return found;
}

function makeAndRemove(world: World, { before, object, removable }: KindCase): void {
  make(world, ...before);
  // Settings and features are there from the beginning, with another value.
  expect(differenceIn(world, object)).toBe(
    object.kind === 'sysctl' || object.kind === 'offload' ? 'replace' : 'missing',
  );
  make(world, object);
  expect(find(world, object)?.owner).toBe('ours');
  expect(differenceIn(world, object)).toBeUndefined();
  if (isShown(object)) expect(world.show()).toContain(lineOf(object));
  // To make what is there is no failure, except for links, which the engine never asks for.
  if (object.kind !== 'link') make(world, object);
  expect(differenceIn(world, object)).toBeUndefined();

  succeed(world, change('remove', object));
  expect(differenceIn(world, object)).toBe(removable ? 'missing' : undefined);
  if (removable) expect(world.show()).not.toContain(lineOf(object));
  succeed(world, change('remove', object));
}

function changeInto(world: World, { before, object }: KindCase, { to, verb }: ChangeCase): void {
  world.alien.make(OTHER_LINK);
  world.alien.setLink(OTHER_LINK.name, { up: true });
  make(world, ...before, object);
  const survivor = standsOn(object);
  if (survivor !== undefined) make(world, survivor);
  const was = find(world, object)?.object;
  if (was === undefined) throw new Error('The object is not there');
  expect(difference(to, was)?.verb).toBe(verb);

  succeed(world, change(verb === 'recreate' ? 'recreate' : 'replace', to, was));
  expect(differenceIn(world, to)).toBeUndefined();
  if (isShown(to)) {
    expect(world.show()).toContain(lineOf(to));
    expect(world.show()).not.toContain(lineOf(object));
  }
  // What changes on a live device leaves the entries of its peers.
  if (survivor !== undefined) expect(find(world, survivor) !== undefined).toBe(verb === 'replace');
}

/** Something that falls with a device that is made again. */
function standsOn(object: KernelObject): KernelObject | undefined {
  if (object.kind !== 'link') return undefined;
  return peerFdb(5, object.name === 'flannel.1' ? 4 : 6);
}

function isShown(object: KernelObject): boolean {
  return object.kind === 'up' || scopeOf(object) === 'links' || scopeOf(object) === 'peers';
}

/** Contract: what cannot be done is said, with the object's name, and nothing else is held up. */
export function refusalContract(open: OpenWorld): void {
  test('an object on a link that is not there fails as `no-link`, its removal succeeds', () => {
    using world = open();
    for (const { object } of kindCases(world.directory)) {
      if (!('link' in object) || ['', UNDERLAY].includes(object.link)) continue;
      const failures = failuresOf(world, change('create', object));
      expect(failures.map(({ kind }) => kind)).toEqual(['no-link']);
      succeed(world, change('remove', object));
    }
  });

  test('one change that fails leaves the others of its batch', () => {
    using world = open();
    make(world, ...upLink(4));
    const good = [peerFdb(2, 4), peerFdb(3, 4)];
    const [first, second] = good;
    if (first === undefined || second === undefined) return;
    const bad = { ...peerFdb(4, 4), dst: peerFdb(4, 6).dst };
    const results = world.target.apply([first, bad, second].map((object) => change('create', object)));
    expect([...results.keys()]).toEqual([1]);
    expect(results.get(1)?.message).toStartWith(
      'Cannot create fdb 02:00:00:04:00:04 dev flannel.1 dst fd99::4 self permanent: ',
    );
    expect(good.map((object) => differenceIn(world, object))).toEqual([undefined, undefined]);
  });
}
