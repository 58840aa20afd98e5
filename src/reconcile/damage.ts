/**
 * What an event says of the state that is wanted: nothing, or that something has to be put right.
 *
 * @module
 */
import { type KernelObject, type Key, keyOf } from '../model/objects.ts';
import { routeProtocolName } from '../model/route-protocol.ts';
import { difference } from './diff.ts';
import type { Suspect } from './fights.ts';
import type { ObjectsOf, PeerTable } from './peer-table.ts';
import type { Observed } from './target.ts';

/** Something to put right. */
export interface Damage {
  /** In words. */
  readonly cause: string;
  /** The peer's object that is to be asserted again; everything has to be looked at if it is no peer's. */
  readonly slot: { readonly node: string; readonly bit: number } | undefined;
}

/** What is wanted. */
export interface Wanted {
  readonly table: PeerTable;
  readonly objectsOf: ObjectsOf;
  /** The node's own. */
  readonly node: ReadonlyMap<Key, KernelObject>;
}

/** Holds an object that was made, changed, or is `gone`, against what is wanted. */
export function damageOf(
  { object, owner }: Observed,
  gone: boolean,
  { table, objectsOf, node }: Wanted,
): Damage | undefined {
  const key = keyOf(object);
  const holder = table.holderOf(key, objectsOf);
  const want = holder?.object ?? node.get(key);
  if (want === undefined) {
    const isStray = owner === 'ours' && !gone;
    return isStray ? { cause: `${key} appeared`, slot: undefined } : undefined;
  }
  if (!gone && difference(want, object) === undefined) return undefined;
  const cause = `${key} ${gone ? 'removed' : 'changed'}`;
  if (holder === undefined) return { cause, slot: undefined };
  const { peer, slot } = holder;
  const bit = 1 << slot;
  if (gone) table.present.delete(peer, bit);
  return { cause, slot: { node: table.leaseOf(peer)?.node ?? '', bit } };
}

/** Names a program by the port of its netlink socket, if it can be known. */
export type WhoIs = (portId: number) => string | undefined;

/** Who may have done it: the program that asked the kernel, and whose routes they are that have come. */
export function suspectOf({ object, portId }: Observed, gone: boolean, whoIs: WhoIs): Suspect | undefined {
  const program = portId === undefined || portId === 0 ? undefined : whoIs(portId);
  const protocol =
    object.kind === 'route' && !gone ? `route protocol '${routeProtocolName(object.protocol)}'` : undefined;
  const known = [program, protocol].filter((each) => each !== undefined);
  return known.length === 0 ? undefined : known.join(', ');
}
