/**
 * Objects that somebody else keeps changing back. To put them right each time would keep two programs busy and the
 * network no better, so the repair waits, longer from time to time, and the quarrel is named.
 *
 * A damage now and then is none: an object's count drains by one in ten seconds.
 *
 * @module
 */
import { describe, type KernelObject, type Key, keyOf } from '../model/objects.ts';
import { type Problem, problem } from '../model/problem.ts';
import { isDispensable } from '../model/traffic-rules.ts';
import type { Change } from './target.ts';

/** So many repairs of one object, less what has drained, are a fight. */
const REPAIRS_MAX = 60;
const DRAIN_MS = 10_000;
/** Undisturbed for so long, a fight is over. */
const PEACE_MS = 60_000;
const DELAY_MS_MIN = 250;
const DELAY_MS_MAX = 5_000;
/** How many objects are counted at a time: 10 kB at most. */
const OBJECTS_MAX = 64;

/** What brings other objects down with it, the first one all of them: their repair says nothing of them. */
const FOUNDATIONS: readonly KernelObject['kind'][] = ['link', 'up', 'address'];

/** Who may have changed an object, in words. */
export type Suspect = string;

/** A quarrel over one object. */
export interface Fight {
  /** As iproute2 would print it. */
  readonly object: string;
  /** What is done to it: `removes` or `changes`. */
  readonly fate: string;
  /** Who does it, where the kernel tells. */
  readonly by: Suspect | undefined;
  /** How often it was put right before that was slowed down, and within how many milliseconds. */
  readonly repairs: number;
  readonly withinMs: number;
  /** Whether it is wrong at present, and waits; not of what nothing depends on. */
  readonly isWaiting: boolean;
}

interface Count {
  object: KernelObject;
  /** Repairs that have not drained. */
  level: number;
  repairs: number;
  sinceMs: number;
  lastMs: number;
  fate: string;
  by: Suspect | undefined;
  /** Of a fight: how the repairs stood when it was noticed. */
  noticed: { readonly repairs: number; readonly withinMs: number } | undefined;
  delayMs: number;
  isWaiting: boolean;
}

/** What there is to tell about a fight. */
export function fightProblem({ object, fate, by, repairs, withinMs }: Fight): Problem {
  const who = by === undefined ? 'Something else' : `Something else (${by})`;
  const often = `${repairs} times within ${Math.ceil(withinMs / 1000)} s`;
  return problem(
    'fight',
    `${who} ${fate} ${object} again and again, ${often}; it is put right less often now`,
  );
}

/** Repairs by object, and what follows from them. */
export class Fights {
  readonly #counts = new Map<Key, Count>();

  /** Notes what a pass has put right, at `nowMs` (monotonic). */
  repaired(changes: readonly Change[], nowMs: number): void {
    const kinds = new Set(changes.map(({ object }) => object.kind));
    const cause = FOUNDATIONS.find((kind) => kinds.has(kind));
    for (const { object } of changes)
      if (cause === undefined || object.kind === cause) this.#count(object, nowMs);
  }

  /**
   * Notes that an object was found damaged, and gives back from when it may be put right: `nowMs`, unless there is a
   * fight over it. `suspect` is asked only when there soon may be.
   */
  damaged(
    key: Key,
    nowMs: number,
    { fate, suspect }: { fate: string; suspect: () => Suspect | undefined },
  ): number {
    const count = this.#counts.get(key);
    if (count === undefined) return nowMs;
    if (isPeace(count, nowMs)) {
      this.#counts.delete(key);
      return nowMs;
    }
    count.fate = fate;
    if (count.level * 2 >= REPAIRS_MAX) count.by = suspect() ?? count.by;
    if (count.noticed === undefined) return nowMs;
    count.isWaiting = count.lastMs + count.delayMs > nowMs;
    return Math.max(nowMs, count.lastMs + count.delayMs);
  }

  /** An object is to be put right after all. */
  resumed(key: Key): void {
    const count = this.#counts.get(key);
    if (count !== undefined) count.isWaiting = false;
  }

  /** Whether an object that something depends on is left wrong for the moment. */
  get isWaiting(): boolean {
    for (const count of this.#counts.values()) if (isMissed(count)) return true;
    return false;
  }

  /** The fights at `nowMs` (monotonic). */
  list(nowMs: number): Fight[] {
    const fights: Fight[] = [];
    for (const [key, count] of this.#counts) {
      if (isPeace(count, nowMs)) this.#counts.delete(key);
      else if (count.noticed !== undefined) {
        const { object, fate, by } = count;
        fights.push({ object: describe(object), fate, by, isWaiting: isMissed(count), ...count.noticed });
      }
    }
    return fights;
  }

  #count(object: KernelObject, nowMs: number): void {
    const key = keyOf(object);
    const before = this.#counts.get(key);
    const count = before === undefined || isPeace(before, nowMs) ? fresh(object, nowMs) : before;
    count.object = object;
    count.level = Math.max(0, count.level - (nowMs - count.lastMs) / DRAIN_MS) + 1;
    count.repairs++;
    count.lastMs = nowMs;
    count.isWaiting = false;
    if (count.noticed !== undefined) count.delayMs = Math.min(DELAY_MS_MAX, count.delayMs * 2);
    else if (count.level >= REPAIRS_MAX) {
      count.noticed = { repairs: count.repairs, withinMs: nowMs - count.sinceMs };
      count.delayMs = DELAY_MS_MIN;
    }
    if (before === undefined && !this.#hasRoom(nowMs)) return;
    // The latest stands last, so that the first is the one to give way.
    this.#counts.delete(key);
    this.#counts.set(key, count);
  }

  /**
   * Whether one more object can be counted. One that has long been left alone gives way; one that has not stays, or a
   * program that undoes a thousand objects in turn would be counted at none.
   */
  #hasRoom(nowMs: number): boolean {
    for (const [oldest, { noticed, lastMs }] of this.#counts) {
      if (this.#counts.size < OBJECTS_MAX) break;
      if (noticed === undefined && nowMs - lastMs >= DRAIN_MS) this.#counts.delete(oldest);
    }
    return this.#counts.size < OBJECTS_MAX;
  }
}

function fresh(object: KernelObject, nowMs: number): Count {
  return {
    object,
    level: 0,
    repairs: 0,
    sinceMs: nowMs,
    lastMs: nowMs,
    fate: 'changes',
    by: undefined,
    noticed: undefined,
    delayMs: 0,
    isWaiting: false,
  };
}

function isMissed({ object, isWaiting }: Count): boolean {
  return isWaiting && !(object.kind === 'table' && isDispensable(object));
}

function isPeace({ lastMs, isWaiting }: Count, nowMs: number): boolean {
  return !isWaiting && nowMs - lastMs >= PEACE_MS;
}
