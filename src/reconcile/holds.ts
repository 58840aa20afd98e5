/**
 * Removals so large that they look like a mistake of the store: they wait until a second complete list agrees.
 *
 * @module
 */

/** Fewer removals than this are never held back: a cluster of three may lose two. */
const HELD_MIN = 3;

/** Whether removing `count` of `total` is so much that a second list must agree first. */
export function exceedsBlastLimit(count: number, total: number): boolean {
  return count >= HELD_MIN && count * 2 > total;
}

/** What is held back, and since which list. */
export class Holds {
  /** How many complete lists have come, and the last at which another was asked for. */
  #lists = 0;
  #askedAt = 0;
  /** Nodes that a list did not have, and the number of that list. */
  readonly #peers = new Map<string, number>();
  /** How many objects no lease explains, and the number of the list at which they were found. */
  #strays = 0;
  #straysAt = 0;

  /** How much is held. */
  get count(): number {
    return this.#peers.size + this.#strays;
  }

  /** Whether some of it is not a peer but what a look has found. */
  get hasStrays(): boolean {
    return this.#strays > 0;
  }

  /** A complete list has come. */
  listed(): void {
    this.#lists++;
  }

  /** Whether a list has to be asked for: once after each that left something held. */
  takeNeed(): boolean {
    const needed = this.count > 0 && this.#askedAt !== this.#lists;
    if (needed) this.#askedAt = this.#lists;
    return needed;
  }

  /** A node has a lease, after all. */
  returned(node: string): void {
    this.#peers.delete(node);
  }

  /** Of nodes that have no lease any more, those that may go now; the others are held. */
  release(gone: readonly string[], total: number): string[] {
    const few = !exceedsBlastLimit(gone.length, total);
    return gone.filter((node) => {
      const since = this.#peers.get(node) ?? this.#lists;
      const goes = few || since < this.#lists;
      if (goes) this.#peers.delete(node);
      else this.#peers.set(node, since);
      return goes;
    });
  }

  /** Whether `count` objects that no lease explains may go now, which are `tooMany` or not. */
  releaseStrays(count: number, tooMany: boolean): boolean {
    const goes = !tooMany || (this.#strays > 0 && this.#straysAt < this.#lists);
    if (this.#strays === 0) this.#straysAt = this.#lists;
    this.#strays = goes ? 0 : count;
    return goes;
  }
}
