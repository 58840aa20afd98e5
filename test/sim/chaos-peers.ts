/**
 * Peers that come, go and change at random, but never claim what another has.
 *
 * @module
 */
import type { Family } from '../../src/model/ip.ts';
import type { Random } from '../fuzz/random.ts';
import type { Rig } from './rig.ts';
import { leaseOf } from './samples.ts';

/** Nodes, subnets and MACs are drawn from so few that they meet. */
const NODES = 24;

/** What a peer's lease is made of. */
interface PeerParts {
  readonly subnet: number;
  readonly mac: number;
  readonly publicIp: number;
  readonly families: readonly Family[];
}

/** One of the items. */
export function pickFrom<T>(random: Random, items: readonly T[]): T {
  const item = items[random(items.length)];
  if (item === undefined) throw new RangeError('Nothing to pick from');
  return item;
}

/** The peers of a rig. */
export class ChaosPeers {
  readonly #rig: Rig;
  readonly #parts = new Map<number, PeerParts>();
  /** Nodes of whose leases the engine was not told. */
  readonly #untold = new Set<string>();

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  set(n: number, parts: PeerParts): void {
    this.#parts.set(n, parts);
    this.#untold.add(`node-${n}`);
    this.#rig.set(leaseOf(n, { ...parts, backendType: this.#rig.backend.type }));
  }

  /** Tells the engine of what it was not told of, or of everything. */
  tell(changed: 'untold' | 'all'): void {
    if (changed === 'all') this.#rig.tell('all');
    else if (this.#untold.size > 0) this.#rig.tell([...this.#untold]);
    this.#untold.clear();
  }

  /** The leases for another backend. */
  republish(): void {
    for (const [n, parts] of this.#parts) this.set(n, parts);
  }

  comes(): void {
    const n = 2 + this.#rig.random(NODES);
    if (this.#parts.has(n)) return;
    this.set(n, {
      subnet: this.#free('subnet'),
      mac: this.#free('mac'),
      publicIp: this.#free('publicIp'),
      families: this.someFamilies(),
    });
  }

  goes(): void {
    this.#one((n) => this.#drop(n));
  }

  allGo(): void {
    for (const n of [...this.#parts.keys()]) this.#drop(n);
  }

  changes(part: 'subnet' | 'mac' | 'publicIp' | 'families'): void {
    this.#one((n, parts) => {
      const value = part === 'families' ? this.someFamilies() : this.#free(part);
      this.set(n, { ...parts, [part]: value });
    });
  }

  swap(part: 'subnet' | 'mac'): void {
    this.#one((n, one) =>
      this.#one((m, other) => {
        if (n === m) return;
        this.set(n, { ...one, [part]: other[part] });
        this.set(m, { ...other, [part]: one[part] });
      }),
    );
  }

  someFamilies(): readonly Family[] {
    return pickFrom<readonly Family[]>(this.#rig.random, [[4, 6], [4, 6], [4], [6]]);
  }

  #drop(n: number): void {
    this.#parts.delete(n);
    this.#untold.add(`node-${n}`);
    this.#rig.leases.delete(`node-${n}`);
  }

  #one(act: (n: number, parts: PeerParts) => void): void {
    const peers = [...this.#parts];
    if (peers.length > 0) act(...pickFrom(this.#rig.random, peers));
  }

  #free(part: 'subnet' | 'mac' | 'publicIp'): number {
    const used = new Set([...this.#parts.values()].map((parts) => parts[part]));
    const free = Array.from({ length: NODES * 2 }, (_, i) => i + 2).filter((each) => !used.has(each));
    return pickFrom(this.#rig.random, free);
  }
}
