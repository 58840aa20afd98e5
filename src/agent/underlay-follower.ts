/**
 * Keeps the choice of the underlay interface true while links, addresses and routes come and go.
 *
 * @module
 */
import { classify, type Family, type Ip } from '../model/ip.ts';
import { type Problem, problem } from '../model/problem.ts';
import type { Result } from '../model/result.ts';
import type { InterfaceChoice } from '../model/settings.ts';
import { type Underlay, underlayIp } from '../model/underlay.ts';
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
  #lack: Problem | undefined;

  constructor(options: UnderlayFollowerOptions) {
    this.#options = options;
  }

  /** The last good choice: it stays while the interface is away. */
  get current(): Underlay | undefined {
    return this.#current;
  }

  /** Why there is no choice at present, or which address it lacks. */
  get problem(): Problem | undefined {
    return this.#problem ?? this.#lack;
  }

  /** Whether an event may change the choice. Pods come and go without being asked about. */
  concerns({ kind, link }: HostEvent): boolean {
    if (this.#current === undefined || this.problem !== undefined) return true;
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
    const now = before === undefined ? selected.value : keepAddresses(selected.value, before);
    this.#current = now;
    this.#lack = lackOf({ found: selected.value, kept: now }, families);
    return before === undefined || !sameUnderlay(before, now);
  }
}

/**
 * An address that goes away is about to come back, or to be followed by another (DHCP, a restart of the
 * network service): the old one stays until then, for without it the node would give up its subnet and with
 * that its pods. A link-local address takes no other's place.
 */
function keepAddresses(found: Underlay, before: Underlay): Underlay {
  if (found.name !== before.name) return found;
  const from = (family: Family) => (isWorse(found, before, family) ? before : found);
  const { ipv4, publicIpv4 } = from(4);
  const { ipv6, publicIpv6 } = from(6);
  return { ...found, ipv4, publicIpv4, ipv6, publicIpv6 };
}

function isWorse(found: Underlay, before: Underlay, family: Family): boolean {
  const [now, then] = [underlayIp(found, family), underlayIp(before, family)];
  if (now === undefined || then === undefined) return now === undefined;
  return classify(now) === 'link-local' && classify(then) !== 'link-local';
}

/** A family that the interface has no address of; without any it would not have been chosen. */
function lackOf(
  { found, kept }: { found: Underlay; kept: Underlay },
  families: readonly Family[],
): Problem | undefined {
  for (const family of families) {
    const [now, former] = [underlayIp(found, family), underlayIp(kept, family)];
    if (now !== undefined && now === former) continue;
    const stays = former === undefined ? '' : `, ${former} stays in use`;
    const message = `Interface ${found.name} has no usable IPv${family} address${stays}`;
    return problem('interface-no-address', message);
  }
  return undefined;
}
