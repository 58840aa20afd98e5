/**
 * Names and indexes of the links: the only place where an index is kept.
 *
 * @module
 */

/** What is known of one link. */
export interface KnownLink {
  readonly index: number;
  readonly name: string;
  /** Administratively (IFF_UP). */
  readonly up: boolean;
}

/** The links of the namespace as they were last read. */
export class LinkTable {
  readonly #byName = new Map<string, KnownLink>();
  readonly #byIndex = new Map<number, KnownLink>();

  /** Enters a link, in place of any with its name or index. */
  set(link: KnownLink): void {
    const before = this.#byIndex.get(link.index);
    if (before !== undefined) this.#byName.delete(before.name);
    const namesake = this.#byName.get(link.name);
    if (namesake !== undefined) this.#byIndex.delete(namesake.index);
    this.#byName.set(link.name, link);
    this.#byIndex.set(link.index, link);
  }

  /** Forgets a link. */
  delete(name: string): void {
    const link = this.#byName.get(name);
    if (link !== undefined) this.#byIndex.delete(link.index);
    this.#byName.delete(name);
  }

  clear(): void {
    this.#byName.clear();
    this.#byIndex.clear();
  }

  byName(name: string): KnownLink | undefined {
    return this.#byName.get(name);
  }

  nameOf(index: number | undefined): string | undefined {
    return index === undefined ? undefined : this.#byIndex.get(index)?.name;
  }
}
