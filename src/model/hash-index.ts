/**
 * An index from hashes to numbers in two typed arrays. A `Map` keyed by text keeps each text alive, some hundred
 * bytes an entry; this keeps eight, and asks its owner whether a candidate is the one that is meant.
 *
 * @module
 */

const SIZE_MIN = 64;

/** 32 bits, unsigned. Native: at start, when thousands of keys are entered, nothing is compiled yet. */
export function hashText(text: string): number {
  return Bun.hash.xxHash32(text);
}

/** Open addressing with linear probing; values are integers from 0 to 2^32 - 2. */
export class HashIndex {
  #hashes = new Uint32Array(SIZE_MIN);
  /** One more than the value; 0 is an empty place. */
  #places = new Uint32Array(SIZE_MIN);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** The first value under `hash` that `matches`, or -1. */
  find(hash: number, matches: (value: number) => boolean): number {
    const mask = this.#places.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const place = this.#places[at] ?? 0;
      if (place === 0) return -1;
      if (this.#hashes[at] === hash && matches(place - 1)) return place - 1;
    }
  }

  /** Enters a value; several may share a hash. */
  insert(hash: number, value: number): void {
    if ((this.#count + 1) * 3 > this.#places.length * 2) this.#grow();
    this.#place(hash, value + 1);
    this.#count++;
  }

  /** Takes a value out, if it is there under this hash. */
  remove(hash: number, value: number): boolean {
    const mask = this.#places.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const place = this.#places[at] ?? 0;
      if (place === 0) return false;
      if (place === value + 1 && this.#hashes[at] === hash) {
        this.#close(at);
        this.#count--;
        return true;
      }
    }
  }

  clear(): void {
    this.#hashes = new Uint32Array(SIZE_MIN);
    this.#places = new Uint32Array(SIZE_MIN);
    this.#count = 0;
  }

  #place(hash: number, place: number): void {
    const mask = this.#places.length - 1;
    let at = hash & mask;
    while (this.#places[at] !== 0) at = (at + 1) & mask;
    this.#hashes[at] = hash;
    this.#places[at] = place;
  }

  /** Moves what follows up, so that no search ends at the hole. */
  #close(hole: number): void {
    const mask = this.#places.length - 1;
    let empty = hole;
    for (let at = (hole + 1) & mask; this.#places[at] !== 0; at = (at + 1) & mask) {
      const home = (this.#hashes[at] ?? 0) & mask;
      if (((at - home) & mask) < ((at - empty) & mask)) continue;
      this.#hashes[empty] = this.#hashes[at] ?? 0;
      this.#places[empty] = this.#places[at] ?? 0;
      empty = at;
    }
    this.#places[empty] = 0;
  }

  #grow(): void {
    const [hashes, places] = [this.#hashes, this.#places];
    this.#hashes = new Uint32Array(places.length * 2);
    this.#places = new Uint32Array(places.length * 2);
    places.forEach((place, at) => {
      if (place !== 0) this.#place(hashes[at] ?? 0, place);
    });
  }
}
