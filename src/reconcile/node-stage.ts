/**
 * The node's own objects: few, so they are looked at and compared as a whole.
 *
 * @module
 */
import { describe, type KernelObject, type Key, keyOf } from '../model/objects.ts';
import { difference } from './diff.ts';
import type { Pass } from './pass.ts';
import type { Change, Claims, Failure, Scope, Target } from './target.ts';

/** What a stage works with. */
export interface NodeStage {
  readonly target: Target;
  readonly claims: Claims;
  readonly pass: Pass;
  /** Keys that were right before, of the current plan: to change them is a repair. */
  readonly applied: Set<Key>;
  /** The names of what has failed in this pass. */
  readonly failing: ReadonlySet<string>;
  /** Hears of every failure, by the key of the object. */
  readonly onFailure: (key: Key, failure: Failure) => void;
}

/** Brings one scope's objects about. Gives back claimed objects that nobody wants. */
export function runNodeStage(
  scope: Scope,
  desired: readonly KernelObject[],
  stage: NodeStage,
): readonly Change[] {
  const { target, claims, pass, onFailure } = stage;
  const observed = new Map<Key, KernelObject>();
  const stale: Change[] = [];
  const wanted = new Set(desired.map(keyOf));
  const failure = target.observe(scope, { claims, probe: desired }, ({ object, owner }) => {
    const key = keyOf(object);
    if (wanted.has(key)) observed.set(key, object);
    else if (owner === 'ours') stale.push({ verb: 'remove', object, why: 'not wanted' });
  });
  if (failure !== undefined) {
    pass.fail(failure);
    onFailure(`look ${scope}` as Key, failure);
    return [];
  }
  bringAbout(desired, observed, stage);
  return stale;
}

/** Makes and changes what differs from what was observed. */
export function bringAbout(
  desired: readonly KernelObject[],
  observed: ReadonlyMap<Key, KernelObject>,
  { target, pass, applied, onFailure }: NodeStage,
): void {
  const changing = new Set<Key>();
  const possible: Change[] = [];
  for (const object of desired) {
    const key = keyOf(object);
    const have = observed.get(key);
    const differs =
      have === undefined ? ({ verb: 'create', why: 'was missing' } as const) : difference(object, have);
    if (differs === undefined) continue;
    changing.add(key);
    const { verb, why } = differs;
    if (verb === 'conflict') {
      const conflict: Failure = { kind: 'conflict', message: `Cannot create ${describe(object)}: ${why}` };
      pass.fail(conflict);
      onFailure(key, conflict);
    } else {
      possible.push({ verb, object, was: have, why });
    }
  }
  pass.apply(target, possible, (change, problem) => {
    const key = keyOf(change.object);
    if (problem !== undefined) return onFailure(key, problem);
    if (applied.has(key)) pass.repaired(change);
    applied.add(key);
  });
  for (const object of desired) {
    const key = keyOf(object);
    if (!changing.has(key)) applied.add(key);
  }
}
