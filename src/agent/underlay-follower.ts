/**
 * Keeps the choice of the underlay interface true while links, addresses and routes come and go.
 *
 * @module
 */
import type { Family, Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import type { Result } from '../model/result.ts';
import type { InterfaceChoice } from '../model/settings.ts';
import type { Underlay } from '../model/underlay.ts';
import { NOTHING_ON_LINK, onLinkOf } from '../underlay/on-link.ts';
import { sameUnderlay, selectUnderlay } from '../underlay/select.ts';
import type { HostSnapshot } from '../underlay/snapshot.ts';

/** A change of the node's own network, as the kernel announces it. */
export interface HostEvent {
  readonly kind: 'link' | 'address' | 'route';
  /** The link that changed or that the address or route is on. */
  readonly link: string;
}

/** What the follower needs. */
export interface UnderlayFollowerOptions {
  readonly choice: InterfaceChoice;
  readonly families: readonly Family[];
  /** Whether it matters which addresses are on-link. */
  readonly needsOnLink: boolean;
  readonly readHost: (canReach: Ip | undefined) => Result<HostSnapshot, Problem>;
}

/** The underlay as it is chosen now. */
export class UnderlayFollower {
  readonly #options: UnderlayFollowerOptions;
  #current: Underlay | undefined;
  #problem: Problem | undefined;

  constructor(options: UnderlayFollowerOptions) {
    this.#options = options;
  }

  /** The last good choice: it stays while the interface is away. */
  get current(): Underlay | undefined {
    return this.#current;
  }

  /** Why there is no choice at present. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** Whether an event may change the choice. Pods come and go without being asked about. */
  concerns({ kind, link }: HostEvent): boolean {
    if (this.#current === undefined || this.#problem !== undefined) return true;
    return link === this.#current.name || (kind === 'route' && this.#options.needsOnLink);
  }

  /** Reads and chooses again. True if the plan has to be made anew. */
  refresh(): boolean {
    const { choice, families, needsOnLink, readHost } = this.#options;
    const snapshot = readHost(choice.canReach);
    if (!snapshot.ok) {
      this.#problem = snapshot.error;
      return false;
    }
    const onLink = needsOnLink ? onLinkOf(snapshot.value) : NOTHING_ON_LINK;
    const selected = selectUnderlay({ choice, families, snapshot: snapshot.value, onLink });
    if (!selected.ok) {
      this.#problem = selected.error;
      return false;
    }
    this.#problem = undefined;
    const before = this.#current;
    this.#current = selected.value;
    return before === undefined || !sameUnderlay(before, selected.value);
  }
}
