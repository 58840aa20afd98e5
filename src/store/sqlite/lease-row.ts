/**
 * A row of the table `lease`.
 *
 * @module
 */
import { type Prefix, parsePrefix } from '../../model/ip.ts';
import type { Lease, LeaseFamily } from '../../model/lease.ts';
import { NODE_NAME_LENGTH_MAX } from '../../model/node-name.ts';
import { fail } from '../../model/result.ts';
import type { RawLease } from '../accept.ts';
import { parseAttributes, TEXT_LENGTH_MAX } from '../attributes.ts';
import type { FamilyAttributes } from '../lease-attributes.ts';

/** What peers need of a node's row. Texts are what the file holds: nothing in them has been checked. */
export interface PeerRow {
  readonly node: string;
  readonly subnet: string | undefined;
  readonly subnetV6: string | undefined;
  /** flannel's JSON. */
  readonly attributes: string;
  /** Milliseconds since the epoch. */
  readonly expiresMs: number;
  /** The place of the lease in the order in which leases were made. */
  readonly created: number;
  /** Whether this only says that the node's lease was removed. */
  readonly isRemoved: boolean;
}

/** A node's whole row. */
export interface LeaseRow extends PeerRow {
  /** The transaction that last changed the row. */
  readonly revision: number;
  /** The process that last wrote the row, and the boot that it ran in. */
  readonly pid: number;
  readonly bootId: string;
}

/** The columns of a {@link LeaseRow}, for writing. */
export const ROW_COLUMNS =
  'created, node, subnet, subnet6, attributes, expires_ms, removed_ms, revision, pid, boot_id';

/** A node's name, cut to one character more than is a name. */
export const NODE = `substr(node, 1, ${NODE_NAME_LENGTH_MAX + 1})`;

/** What to select for a {@link PeerRow}: of a text that is too long to make sense no more than shows that it is. */
export const PEER_SELECTION = `created, ${NODE} AS node, substr(subnet, 1, 65) AS subnet,
  substr(subnet6, 1, 65) AS subnet6, substr(attributes, 1, ${TEXT_LENGTH_MAX + 1}) AS attributes,
  expires_ms, removed_ms`;

/** What to select for a {@link LeaseRow}. */
export const ROW_SELECTION = `${PEER_SELECTION}, revision, pid, boot_id`;

/** The places that leases get in their order: from 1 to this, so that there is always a next one. */
export const CREATED_MAX = 2 ** 52;

/** A row by the names of its columns, as the database gives it. */
export type Columns = Readonly<Record<string, unknown>>;

/**
 * The row out of its columns; `undefined` if it names no node. The table is strict about types, but the file
 * may have been made by other hands.
 */
export function readPeerRow(columns: Columns): PeerRow | undefined {
  const { node, subnet, subnet6, attributes, expires_ms, created, removed_ms } = columns;
  if (typeof node !== 'string') return undefined;
  return {
    node,
    subnet: typeof subnet === 'string' ? subnet : undefined,
    subnetV6: typeof subnet6 === 'string' ? subnet6 : undefined,
    attributes: typeof attributes === 'string' ? attributes : '',
    expiresMs: numberOf(expires_ms),
    created: numberOf(created),
    isRemoved: removed_ms !== null,
  };
}

/** Likewise, the whole row. */
export function readRow(columns: Columns): LeaseRow | undefined {
  const row = readPeerRow(columns);
  if (row === undefined) return undefined;
  const { revision, pid, boot_id } = columns;
  const bootId = typeof boot_id === 'string' ? boot_id : '';
  return { ...row, revision: numberOf(revision), pid: numberOf(pid), bootId };
}

/** The row in the form that all stores share. */
export function rawLease(row: PeerRow): RawLease {
  return {
    node: row.node,
    order: row.created,
    subnet: row.subnet,
    subnetV6: row.subnetV6,
    attributes: isPlace(row.created)
      ? parseAttributes(row.attributes)
      : fail(`Its place in the order of leases, ${row.created}, is none`),
  };
}

function isPlace(created: number): boolean {
  return Number.isInteger(created) && created >= 1 && created <= CREATED_MAX;
}

/** The lease as the row says, without regard to any configuration; `undefined` if it makes no sense. */
export function storedLease(row: PeerRow): Lease | undefined {
  const attributes = parseAttributes(row.attributes);
  if (row.isRemoved || !attributes.ok) return undefined;
  const ipv4 = storedFamily(row.subnet, attributes.value.ipv4);
  const ipv6 = storedFamily(row.subnetV6, attributes.value.ipv6);
  if (ipv4 === undefined && ipv6 === undefined) return undefined;
  return { node: row.node, backendType: attributes.value.backendType, ipv4, ipv6 };
}

/** The subnets that a row keeps from others, parsed. */
export function heldSubnets(row: PeerRow): { ipv4: Prefix | undefined; ipv6: Prefix | undefined } {
  return {
    ipv4: row.subnet === undefined ? undefined : parsePrefix(row.subnet),
    ipv6: row.subnetV6 === undefined ? undefined : parsePrefix(row.subnetV6),
  };
}

function storedFamily(subnetText: string | undefined, attributes: FamilyAttributes): LeaseFamily | undefined {
  const subnet = subnetText === undefined ? undefined : parsePrefix(subnetText);
  const { publicIp, vtep } = attributes;
  return subnet === undefined || publicIp === undefined ? undefined : { subnet, publicIp, vtep };
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
