/**
 * When to try again what has failed: for each thing on its own, so that none waits for another.
 *
 * @module
 */
import { backOffMs } from '../model/back-off.ts';
import type { Failure, FailureKind } from './target.ts';

/** A thing that fails at present. */
export interface Retry {
  readonly failure: Failure;
  readonly attempts: number;
  readonly sinceMs: number;
  readonly dueMs: number;
  /** Which of a peer's objects fail, as bits; 0 for what is no peer. */
  readonly slots: number;
}

/** Failures by the name of what fails. */
export class Retries {
  readonly #byName = new Map<string, Retry>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Whether anything fails that something depends on. */
  get isBlocking(): boolean {
    return [...this.#byName.values()].some(({ failure }) => failure.harmless !== true);
  }

  get(name: string): Retry | undefined {
    return this.#byName.get(name);
  }

  /** Whether anything fails in this way. */
  has(kind: FailureKind): boolean {
    return [...this.#byName.values()].some(({ failure }) => failure.kind === kind);
  }

  entries(): IterableIterator<[string, Retry]> {
    return this.#byName.entries();
  }

  /** Notes a failure at `nowMs` (monotonic), of a peer's objects in `slots`. */
  failed(name: string, failure: Failure, { nowMs, slots = 0 }: { nowMs: number; slots?: number }): void {
    const before = this.#byName.get(name);
    const attempts = (before?.attempts ?? 0) + 1;
    const dueMs = nowMs + backOffMs(attempts, { random: this.#random });
    const allSlots = (before?.slots ?? 0) | slots;
    this.#byName.set(name, { failure, attempts, sinceMs: before?.sinceMs ?? nowMs, dueMs, slots: allSlots });
  }

  /** Notes that it works, or that nobody wants it any more: all of it, or a peer's objects in `slots`. */
  cleared(name: string, slots: number = ~0): void {
    const retry = this.#byName.get(name);
    const left = (retry?.slots ?? 0) & ~slots;
    if (retry === undefined || left === 0) this.#byName.delete(name);
    else this.#byName.set(name, { ...retry, slots: left });
  }

  /** What is due at `nowMs`. */
  due(nowMs: number): string[] {
    const names: string[] = [];
    for (const [name, retry] of this.#byName) if (retry.dueMs <= nowMs) names.push(name);
    return names;
  }

  /** When the next is due, if any is. */
  nextMs(): number | undefined {
    let next: number | undefined;
    for (const { dueMs } of this.#byName.values()) if (next === undefined || dueMs < next) next = dueMs;
    return next;
  }
}
