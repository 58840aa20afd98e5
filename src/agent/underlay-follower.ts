/**
 * Keeps the choice of the underlay interface true while links, addresses and routes come and go.
 *
 * @module
 */
import { classify, type Family, type Ip } from '../model/ip.ts';
import type { PublicAddresses } from '../model/lease-source.ts';
import { type Problem, problem } from '../model/problem.ts';
import type { Result } from '../model/result.ts';
import type { InterfaceChoice } from '../model/settings.ts';
import { type Underlay, underlayIp } from '../model/underlay.ts';
import { NOTHING_ON_LINK, onLinkOf } from '../underlay/on-link.ts';
import { sameUnderlay, selectUnderlay } from '../underlay/select.ts';
import type { HostSnapshot } from '../underlay/snapshot.ts';

/** A change of the node's own network, as the kernel announces it. */
export type HostEvent =
  | {
      readonly kind: 'link';
      readonly link: string;
      /** The name may be new. */
      readonly index: number;
      readonly gone: boolean;
      /** All else that matters of a link. */
      readonly state: string;
    }
  | { readonly kind: 'address'; readonly link: string; readonly gone: boolean }
  | { readonly kind: 'route'; readonly link: string; readonly isDefault: boolean };

/** What the follower needs. */
export interface UnderlayFollowerOptions {
  readonly choice: InterfaceChoice;
  readonly families: readonly Family[];
  /** Whether it matters which addresses are on-link. */
  readonly needsOnLink: boolean;
  readonly readHost: (canReach: Ip | undefined) => Result<HostSnapshot, Problem>;
  /** What peers were told before this start: stands for an address that is late. */
  readonly remembered: Readonly<Record<Family, Ip | undefined>>;
}

/** The underlay as it is chosen now. */
export class UnderlayFollower {
  readonly #options: UnderlayFollowerOptions;
  #choice: InterfaceChoice;
  #current: Underlay | undefined;
  #problem: Problem | undefined;
  #lack: Problem | undefined;

  constructor(options: UnderlayFollowerOptions) {
    this.#options = options;
    this.#choice = options.choice;
  }

  /** What the store says of the node's public addresses goes before what the flags say, as in flannel. */
  setPublicAddresses({ ipv4, ipv6 }: PublicAddresses): void {
    const { choice } = this.#options;
    this.#choice = {
      ...choice,
      publicIpv4: ipv4 ?? choice.publicIpv4,
      publicIpv6: ipv6 ?? choice.publicIpv6,
    };
  }

  /** The last good choice: it stays while the interface is away. */
  get current(): Underlay | undefined {
    return this.#current;
  }

  /** Why there is no choice at present, or which address it lacks. */
  get problem(): Problem | undefined {
    return this.#problem ?? this.#lack;
  }

  /** Whether an event may change the choice. Pods and other programs' routes come and go without being asked about. */
  concerns(event: HostEvent): boolean {
    const { needsOnLink } = this.#options;
    const choice = this.#choice;
    if (event.kind === 'route') return needsOnLink || choice.canReach !== undefined || event.isDefault;
    if (this.#current === undefined || this.problem !== undefined) return true;
    return this.isChosen(event);
  }

  /** Whether an event is about the chosen interface. */
  isChosen(event: HostEvent): boolean {
    const { name, index } = this.#current ?? {};
    return event.link === name || (event.kind === 'link' && event.index === index);
  }

  /**
   * Reads and chooses again. True if the plan has to be made anew.
   *
   * @param peers the addresses of which it may matter whether they are on-link
   */
  refresh(peers: Iterable<Ip>): boolean {
    const { families, needsOnLink, readHost } = this.#options;
    const choice = this.#choice;
    const snapshot = readHost(choice.canReach);
    if (!snapshot.ok) {
      this.#problem = snapshot.error;
      return false;
    }
    const onLink = needsOnLink ? onLinkOf(snapshot.value) : NOTHING_ON_LINK;
    const selected = selectUnderlay({
      choice,
      families,
      snapshot: snapshot.value,
      onLink,
      current: this.#current?.name,
    });
    if (!selected.ok) {
      this.#problem = selected.error;
      return false;
    }
    this.#problem = undefined;
    const { index } = selected.value;
    const isThere: IsThere = (ip) =>
      snapshot.value.addresses.some((each) => each.ip === ip && each.index === index && !each.deprecated);
    const before = this.#current;
    const now =
      before === undefined
        ? withRemembered(selected.value, this.#options)
        : keepAnswers(keepAddresses(selected.value, { before, isThere, choice }), before, peers);
    this.#current = now;
    this.#lack = lackOf(now, families, isThere);
    return before === undefined || !sameUnderlay(before, now);
  }
}

/**
 * The plan has asked the former table. If that answers alike for every peer, it stays the one that is asked: so a
 * peer that comes later is compared with the answer that it was planned by, not with one that nobody used.
 */
function keepAnswers(found: Underlay, before: Underlay, peers: Iterable<Ip>): Underlay {
  const { onLink, onLinkVersion } = before;
  for (const ip of peers)
    if (onLink(ip) !== found.onLink(ip)) return { ...found, onLinkVersion: onLinkVersion + 1 };
  return { ...found, onLink, onLinkVersion };
}

/** At the start an IPv6 address may not be there yet: its subnet and its device are kept for it meanwhile. */
function withRemembered(found: Underlay, { remembered, families }: UnderlayFollowerOptions): Underlay {
  const late = (family: Family) =>
    families.includes(family) && underlayIp(found, family) === undefined ? remembered[family] : undefined;
  const [ipv4, ipv6] = [late(4), late(6)];
  return {
    ...found,
    ...(ipv4 === undefined ? {} : { ipv4, publicIpv4: ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6, publicIpv6: ipv6 }),
  };
}

/** Whether the chosen interface has an address at present. */
type IsThere = (ip: Ip) => boolean;

interface Kept {
  readonly before: Underlay;
  readonly isThere: IsThere;
  readonly choice: InterfaceChoice;
}

/**
 * The addresses that are in use stay in use. One that is joined by others is not less good for that; one that
 * goes away is about to come back or to be followed by another (DHCP, a restart of the network service), and
 * without it the node would give up its subnet and with that its pods.
 */
function keepAddresses(found: Underlay, { before, isThere, choice }: Kept): Underlay {
  if (found.name !== before.name) return found;
  const from = (family: Family) => (isKept(found, { before, family, isThere }) ? before : found);
  const [{ ipv4 }, { ipv6 }] = [from(4), from(6)];
  const publicIpv4 = ipv4 && (choice.publicIpv4 ?? ipv4);
  const publicIpv6 = ipv6 && (choice.publicIpv6 ?? ipv6);
  return { ...found, ipv4, publicIpv4, ipv6, publicIpv6 };
}

function isKept(
  found: Underlay,
  { before, family, isThere }: { before: Underlay; family: Family; isThere: IsThere },
): boolean {
  const [now, then] = [underlayIp(found, family), underlayIp(before, family)];
  if (now === undefined || then === undefined) return now === undefined;
  // A link-local address gives way to any other, and takes no other's place.
  const [nowIsLocal, thenIsLocal] = [classify(now) === 'link-local', classify(then) === 'link-local'];
  return nowIsLocal === thenIsLocal ? isThere(then) : nowIsLocal;
}

/** A family of which the interface has no address; without any it would not have been chosen. */
function lackOf(underlay: Underlay, families: readonly Family[], isThere: IsThere): Problem | undefined {
  const { name } = underlay;
  for (const family of families) {
    const ip = underlayIp(underlay, family);
    if (ip !== undefined && isThere(ip)) continue;
    const message =
      ip === undefined
        ? `Interface ${name} has no usable IPv${family} address`
        : `Interface ${name} has lost its IPv${family} address ${ip}, which stays in use until there is another`;
    return problem('interface-no-address', message);
  }
  return undefined;
}
