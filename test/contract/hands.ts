/**
 * What the contract suite does with a world.
 *
 * @module
 */
import { type KernelObject, keyOf } from '../../src/model/objects.ts';
import { difference } from '../../src/reconcile/diff.ts';
import type { Change, Claims, Failure, Observed, Scope, Verb } from '../../src/reconcile/target.ts';
import { prefix } from '../sim/samples.ts';
import { scopeOf, type World } from './world.ts';

/** What an agent of a vxlan node claims. */
export const CLAIMS: Claims = {
  links: new Set(['flannel.1', 'flannel-v6.1']),
  networks: [prefix('10.42.0.0/16'), prefix('fd42::/48')],
};

/** One change of one object. */
export function change(verb: Verb, object: KernelObject, was?: KernelObject): Change {
  return { verb, object, was, why: 'a test wants it' };
}

/** Makes changes in one batch and gives back what failed. As in the engine, links are looked at first. */
export function failuresOf(world: World, ...changes: readonly Change[]): Failure[] {
  observe(world, 'links');
  return [...world.target.apply(changes).values()];
}

/** Makes objects. Throws if any of them fails. */
export function make(world: World, ...objects: readonly KernelObject[]): void {
  succeed(world, ...objects.map((object) => change('create', object)));
}

/** Makes changes. Throws if any of them fails. */
export function succeed(world: World, ...changes: readonly Change[]): void {
  const [failure] = failuresOf(world, ...changes);
  if (failure !== undefined) throw new Error(failure.message);
}

/** Everything that a look at a scope shows. As in the engine, links are looked at first. */
export function observe(
  world: World,
  scope: Scope,
  { probe = [], claims = CLAIMS }: { probe?: readonly KernelObject[]; claims?: Claims } = {},
): Observed[] {
  const found: Observed[] = [];
  const see = (wanted: Scope) => {
    const failure = world.target.observe(wanted, { claims, probe }, (observed) => {
      if (wanted === scope) found.push(observed);
    });
    if (failure !== undefined) throw new Error(failure.message);
  };
  if (scope !== 'links') see('links');
  see(scope);
  return found;
}

/** The object of the same key as a look shows it. */
export function find(world: World, object: KernelObject): Observed | undefined {
  const key = keyOf(object);
  return observe(world, scopeOf(object), { probe: [object] }).find((each) => keyOf(each.object) === key);
}

/** How an object differs from what a look shows: `missing`, the verb that puts it right, or nothing. */
export function differenceIn(world: World, object: KernelObject): string | undefined {
  const found = find(world, object);
  return found === undefined ? 'missing' : difference(object, found.object)?.verb;
}
