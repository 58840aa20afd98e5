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

/** Brings one scope's objects about. Gives back claimed objects that nobody wants, unless `remove` says so. */
export function runNodeStage(
  scope: Scope,
  desired: readonly KernelObject[],
  stage: NodeStage,
): readonly Change[] {
  const { target, claims, pass, applied, onFailure } = stage;
  const { changes, stale, failure } = compareScope(scope, desired, { target, claims });
  if (failure !== undefined) {
    pass.fail(failure);
    onFailure(`look ${scope}` as Key, failure);
    return [];
  }
  const changing = new Set<Key>();
  const possible: Change[] = [];
  for (const change of changes) {
    const key = keyOf(change.object);
    changing.add(key);
    if (change.conflict) {
      const message = `Cannot create ${describe(change.object)}: ${change.why}`;
      const conflict: Failure = { kind: 'conflict', message };
      pass.fail(conflict);
      onFailure(key, conflict);
    } else {
      possible.push(change);
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
  return stale;
}

interface Comparison {
  readonly changes: readonly (Change & { readonly conflict: boolean })[];
  readonly stale: readonly Change[];
  readonly failure: Failure | undefined;
}

function compareScope(
  scope: Scope,
  desired: readonly KernelObject[],
  { target, claims }: Pick<NodeStage, 'target' | 'claims'>,
): Comparison {
  const observed = new Map<Key, KernelObject>();
  const stale: Change[] = [];
  const wanted = new Set(desired.map(keyOf));
  const failure = target.observe(scope, { claims, probe: desired }, ({ object, owner }) => {
    const key = keyOf(object);
    if (wanted.has(key)) observed.set(key, object);
    else if (owner === 'ours') stale.push({ verb: 'remove', object, why: 'not wanted' });
  });
  const changes: Comparison['changes'][number][] = [];
  for (const object of desired) {
    const key = keyOf(object);
    const have = observed.get(key);
    const differs =
      have === undefined ? ({ verb: 'create', why: 'was missing' } as const) : difference(object, have);
    if (differs === undefined) continue;
    const conflict = differs.verb === 'conflict';
    changes.push({
      verb: conflict ? 'create' : differs.verb,
      object,
      was: have,
      why: differs.why,
      conflict,
    });
  }
  return { changes, stale, failure };
}
