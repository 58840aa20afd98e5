/**
 * What has to be looked at, gathered between two passes.
 *
 * @module
 */

/** A set of scopes with the reason why it is not empty. */
export class Dirt {
  /** Everything has to be read and compared. */
  full = false;
  /** The peers whose leases may have changed. */
  names: Set<string> | 'all' | undefined;
  /** The objects of peers that are to be asserted again: bits are slots. */
  readonly slots = new Map<string, number>();
  /** Nothing need be changed: that a pass comes to its end is what somebody waits for. */
  proof = false;
  readonly #causes: string[] = [];
  #causeCount = 0;

  /** Whether a pass is to be made. */
  get pending(): boolean {
    return this.proof || this.substantial;
  }

  /** Whether there is anything to look at. */
  get substantial(): boolean {
    return this.full || this.names !== undefined || this.slots.size > 0;
  }

  /** The first cause, and how many more there were. */
  get cause(): string {
    const more = this.#causeCount - this.#causes.length;
    return `${this.#causes.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  }

  everything(cause: string): void {
    this.full = true;
    this.#note(cause);
  }

  leases(changed: ReadonlySet<string> | 'all', cause: string): void {
    if (changed === 'all' || this.names === 'all') {
      this.names = 'all';
    } else {
      this.names ??= new Set();
      for (const name of changed) this.names.add(name);
    }
    this.#note(cause);
  }

  slot(node: string, slots: number, cause: string): void {
    this.slots.set(node, (this.slots.get(node) ?? 0) | slots);
    this.#note(cause);
  }

  #note(cause: string): void {
    this.#causeCount++;
    if (this.#causes.length < 3 && !this.#causes.includes(cause)) this.#causes.push(cause);
  }
}
