/**
 * What the contract suite is run on: a network namespace, real or fake, with an underlay interface `eth0`, the
 * engine's target on it, and somebody else who works there too.
 *
 * @module
 */
import type { EventSink } from '../../src/kernel/events.ts';
import type { Ip, Mac } from '../../src/model/ip.ts';
import {
  describe,
  type FdbObject,
  type KernelObject,
  type LinkObject,
  type NeighbourObject,
  type RouteObject,
} from '../../src/model/objects.ts';
import type { Claims, Scope, Target } from '../../src/reconcile/target.ts';

/** What somebody else can make or remove. */
export type AlienObject =
  | LinkObject
  | RouteObject
  | NeighbourObject
  | FdbObject
  | Extract<KernelObject, { kind: 'address' }>;

/** What somebody else can change about a link. */
export interface AlienLinkChange {
  readonly up?: boolean;
  readonly mtuBytes?: number;
  readonly mac?: Mac;
  readonly name?: string;
  readonly learning?: boolean;
}

/** Somebody else's hand. Everything throws if the kernel refuses it. */
export interface Alien {
  make(object: AlienObject): void;
  remove(object: AlienObject): void;
  setLink(name: string, change: AlienLinkChange): void;
  /** Writes a setting below /proc/sys. */
  setSysctl(name: string, value: string): void;
  setOffload(link: string, feature: string, on: boolean): void;
}

/** One namespace. */
export interface World extends Disposable {
  readonly target: Target;
  readonly alien: Alien;
  /** Where the agent writes files. */
  readonly directory: string;
  /** Says what is ours: targets ask at every look, events are told apart by it. */
  setClaims(claims: Claims): void;
  /** Tells of events from now on. */
  listen(sink: EventSink): void;
  /** Waits until everything that was announced so far has been told. */
  heard(): Promise<void>;
  /** Everything in the namespace that is not the kernel's own, in the words of iproute2, sorted. */
  show(): string[];
}

/** How a world is made: the underlay is up, with `UNDERLAY_IPV4` and `UNDERLAY_IPV6`. */
export type OpenWorld = () => World;

export const UNDERLAY = 'eth0';
export const UNDERLAY_IPV4 = '192.168.0.1' as Ip;
export const UNDERLAY_IPV6 = 'fd99::1' as Ip;

/** The scope in which a kind of object is looked for. */
export function scopeOf({ kind }: KernelObject): Scope {
  switch (kind) {
    case 'link':
      return 'links';
    case 'up':
    case 'address':
    case 'sysctl':
    case 'offload':
      return 'node';
    case 'route':
    case 'neighbour':
    case 'fdb':
      return 'peers';
    case 'table':
      return 'rules';
    case 'passage':
      return 'chains';
    case 'file':
      return 'files';
  }
}

/** One object as a line of {@link World.show}. */
export function lineOf(object: KernelObject): string {
  return object.kind === 'route' ? `${describe(object)} proto ${object.protocol}` : describe(object);
}
