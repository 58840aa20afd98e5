/**
 * What can be reconciled: the seam between the engine and the kernel.
 *
 * @module
 */
import type { Prefix } from '../model/ip.ts';
import type { KernelObject } from '../model/objects.ts';

/** Whose an object is. Only `ours` may be removed; what is not known to be ours is not. */
export type Owner = 'ours' | 'kernel' | 'alien';

/** An object as the kernel has it. */
export interface Observed {
  readonly object: KernelObject;
  readonly owner: Owner;
  /** Of an event: the netlink port of whoever asked for the change, 0 for the kernel's own doing. */
  readonly portId?: number;
}

/** What we lay claim to: everything on these links is ours, and routes of our protocol anywhere. */
export interface Claims {
  readonly links: ReadonlySet<string>;
  /** The cluster's networks: other IPv4 addresses on our links are left alone, as flanneld leaves them. */
  readonly networks: readonly Prefix[];
}

/**
 * What is looked at together.
 *
 * - `links`: the claimed links.
 * - `node`: addresses of the claimed links, and the settings that `probe` names.
 * - `peers`: routes, neighbours and forwarding entries.
 * - `rules`: the tables of traffic rules that have our names.
 * - `chains`: chains of others that decide what is passed on, and rules of ours in them.
 * - `files`: the files that `probe` names.
 */
export type Scope = 'links' | 'node' | 'peers' | 'rules' | 'chains' | 'files';

/** What to look for in a scope. */
export interface Look {
  readonly claims: Claims;
  /** Objects of kinds that cannot be listed, only asked for. */
  readonly probe: readonly KernelObject[];
}

/** Who takes in what a look finds. If the kernel changes while it is read, an object may come twice. */
export type LookVisitor = (observed: Observed) => void;

/** What to do about an object. `replace` changes it in place, `recreate` removes it first. */
export type Verb = 'create' | 'replace' | 'recreate' | 'remove';

/** One step towards the desired state. */
export interface Change {
  readonly verb: Verb;
  /** As it should be; for `remove`, as it is. */
  readonly object: KernelObject;
  /** For `replace`: as it is, where that is known. */
  readonly was?: KernelObject | undefined;
  /** In words: what differed. */
  readonly why: string;
}

/** What kind of failure it is, as far as the remedy depends on it. */
export type FailureKind = 'denied' | 'unsupported' | 'conflict' | 'no-link' | 'unwritable' | 'other';

/** A look or a change that did not work. */
export interface Failure {
  readonly kind: FailureKind;
  /** `Cannot create route …: EINVAL "…"`. */
  readonly message: string;
  /** What can be done about it on this node, where that is better known than by its kind. */
  readonly remedy?: string;
  /** Nothing depends on it: it is told and tried again, and keeps the node from nothing. */
  readonly harmless?: boolean;
}

/** The kernel, or what a test puts in its place. Everything is synchronous and nothing throws. */
export interface Target {
  observe(scope: Scope, look: Look, visit: LookVisitor): Failure | undefined;
  /** Makes the changes in order. The result has the failures by the index of their change. */
  apply(changes: readonly Change[]): ReadonlyMap<number, Failure>;
}
