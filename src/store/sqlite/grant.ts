/**
 * A node's lease, written or left as it is: the choice of subnets and the row are one transaction.
 *
 * @module
 */
import { chooseSubnet, isCompatible, subnetCapacity } from '../../ipam/subnet.ts';
import { FAMILIES, type Family, type Prefix, prefixCovers, prefixesOverlap } from '../../model/ip.ts';
import { leaseFamily } from '../../model/lease.ts';
import type { LeaseRequest, LeaseRequestFamily } from '../../model/lease-source.ts';
import { type NetworkConfig, type NetworkFamily, networkFamily } from '../../model/network.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import { formatAttributes } from '../attributes.ts';
import { quoted } from '../printable.ts';
import { LIFETIME_MS, SLACK_MS } from './expiry.ts';
import { holderText, type IsAlive, isSameHolder } from './holder.ts';
import type { LeaseDatabase, SubnetHolder } from './lease-database.ts';
import { heldSubnets, type LeaseRow, storedLease } from './lease-row.ts';

/** A subnet of each family. */
export interface Subnets {
  readonly ipv4: Prefix | undefined;
  readonly ipv6: Prefix | undefined;
}

/** All that a grant depends on. */
export interface GrantOptions {
  readonly node: string;
  readonly request: LeaseRequest;
  readonly network: NetworkConfig;
  /** What this process held last: preferred to `previous` of the request, which is older. */
  readonly last: Subnets;
  readonly nowMs: number;
  /** How long before its expiry a lease is renewed. */
  readonly marginMs: number;
  readonly pid: number;
  readonly bootId: string;
  readonly isAlive: IsAlive;
  /** Whether a holder's lease has been expired for so long that another node may have its subnets. */
  readonly isGone: (holder: SubnetHolder) => boolean;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
}

/** The node's row as it is now. */
export interface Grant {
  readonly row: LeaseRow;
  /** Whether something was written, so that others have to be told. */
  readonly isWritten: boolean;
  /** The nodes whose expired leases had to give way. */
  readonly evicted: readonly string[];
}

/** Thrown within a transaction, so that nothing of it happens. */
class DeniedError extends Error {
  readonly problem: Problem;

  constructor(denied: Problem) {
    super(denied.message);
    this.problem = denied;
  }
}

/**
 * Gives the node its lease. A row that says the same already and lasts for long enough is left alone: then
 * nothing is written at all.
 *
 * @throws what the database throws
 */
export function grantLease(database: LeaseDatabase, asked: GrantOptions): Result<Grant, Problem> {
  const before = database.row(asked.node);
  const rival = rivalProblem(before, asked);
  if (rival !== undefined) return fail(rival);
  const request = withHeld(enabledPart(asked.request, asked.network), before, asked.network);
  const options = { ...asked, request };
  const attributes = formatAttributes(request);
  const isKept = before !== undefined && keepsSubnets(before, options);
  if (isKept && before.attributes === attributes && !isRenewalDue(before.expiresMs, options)) {
    return ok({ row: before, isWritten: false, evicted: [] });
  }
  try {
    // A lost renewal harms nobody, a subnet that is given away twice does.
    return ok(database.transact(!isKept, (revision) => write(database, { options, attributes, revision })));
  } catch (error) {
    if (error instanceof DeniedError) return fail(error.problem);
    throw error;
  }
}

/**
 * Whether another process that runs has leased for this node. Whose row it is keeps it, so of two agents that are
 * given one name the first is left in peace; one that has ended, or ran before a reboot, holds nothing.
 */
function rivalProblem(row: LeaseRow | undefined, asked: GrantOptions): Problem | undefined {
  if (row === undefined || row.isRemoved || isSameHolder(row, asked) || !asked.isAlive(row)) return undefined;
  const message = `The lease of node ${quoted(asked.node)} is held by ${holderText(row)}, which still runs`;
  return problem('lease-held', message);
}

/** Whether a lease is to be written anew at a start: less than half of its life, or the margin, is left. */
function isRenewalDue(expiresMs: number, { nowMs, marginMs }: GrantOptions): boolean {
  const leftMs = expiresMs - nowMs;
  return leftMs < Math.max(LIFETIME_MS / 2, marginMs) || leftMs > LIFETIME_MS + SLACK_MS;
}

/** The request without the families that the network does not have. */
function enabledPart(request: LeaseRequest, network: NetworkConfig): LeaseRequest {
  return {
    ...request,
    backendType: request.backendType.toLowerCase(),
    ipv4: network.ipv4 === undefined ? undefined : request.ipv4,
    ipv6: network.ipv6 === undefined ? undefined : request.ipv6,
  };
}

/**
 * A family that the network has and the request has not is one whose address is away just now (IPv6 is often late
 * after a boot): what the row has of it stays, or its pods would lose their subnet.
 */
function withHeld(request: LeaseRequest, row: LeaseRow | undefined, network: NetworkConfig): LeaseRequest {
  const held = row === undefined ? undefined : storedLease(row);
  const half = (family: Family): LeaseRequestFamily | undefined => {
    const wished = family === 4 ? request.ipv4 : request.ipv6;
    const stored = held === undefined ? undefined : leaseFamily(held, family);
    if (wished !== undefined || stored === undefined || networkFamily(network, family) === undefined)
      return wished;
    return { publicIp: stored.publicIp, vtep: stored.vtep, previous: stored.subnet };
  };
  return { ...request, ipv4: half(4), ipv6: half(6) };
}

/** Whether a row has a compatible subnet of every family that is wanted, and none of another. */
function keepsSubnets(row: LeaseRow, options: GrantOptions): boolean {
  if (row.isRemoved) return false;
  const held = heldSubnets(row);
  return FAMILIES.every((family) => {
    const subnet = ofFamily(held, family);
    const wanted = wantedFamily(options, family);
    if (wanted === undefined) return (family === 4 ? row.subnet : row.subnetV6) === undefined;
    return subnet !== undefined && isCompatible(wanted.range, subnet);
  });
}

interface WriteOptions {
  readonly options: GrantOptions;
  readonly attributes: string;
  readonly revision: number;
}

function write(database: LeaseDatabase, { options, attributes, revision }: WriteOptions): Grant {
  const { node, nowMs, pid, bootId } = options;
  const before = database.row(node);
  const rival = rivalProblem(before, options);
  if (rival !== undefined) throw new DeniedError(rival);
  const held = before === undefined || before.isRemoved ? undefined : before;
  const isKept = held !== undefined && keepsSubnets(held, options);
  const others = isKept ? [] : database.holdersBeside(node);
  const gone = new Set(others.filter(options.isGone));
  const subnets = isKept ? heldSubnets(held) : chooseSubnets(options, { held, others, gone });
  const evicted = [...gone].filter((holder) => overlaps(holder, subnets)).map((holder) => holder.node);
  for (const name of evicted) database.bury(name, { revision, nowMs });
  const row: LeaseRow = {
    node,
    subnet: subnets.ipv4,
    subnetV6: subnets.ipv6,
    attributes,
    expiresMs: nowMs + LIFETIME_MS,
    revision,
    created: held?.created ?? database.nextCreated(),
    isRemoved: false,
    pid,
    bootId,
  };
  database.write(row);
  database.purge(nowMs);
  return { row, isWritten: true, evicted };
}

interface Holders {
  readonly held: LeaseRow | undefined;
  readonly others: readonly SubnetHolder[];
  readonly gone: ReadonlySet<SubnetHolder>;
}

function chooseSubnets(options: GrantOptions, holders: Holders): Subnets {
  return { ipv4: chooseFamily(options, holders, 4), ipv6: chooseFamily(options, holders, 6) };
}

function chooseFamily(options: GrantOptions, holders: Holders, family: Family): Prefix | undefined {
  const wanted = wantedFamily(options, family);
  if (wanted === undefined) return undefined;
  const { range, previous } = wanted;
  const own = holders.held === undefined ? undefined : ofFamily(heldSubnets(holders.held), family);
  const taken: Prefix[] = [];
  const expired: Prefix[] = [];
  for (const holder of holders.others) {
    const subnet = ofFamily(holder, family);
    // Nobody uses a lease of the whole network, so it keeps nobody from one.
    if (subnet !== undefined && !prefixCovers(subnet, range.network))
      (holders.gone.has(holder) ? expired : taken).push(subnet);
  }
  const preferred = ofFamily(options.last, family) ?? previous;
  const choice = chooseSubnet({ range, own, preferred, taken, expired }, options.random);
  if (choice.kind === 'chosen') return choice.subnet;
  const lapsed = holders.others.filter(
    (holder) => ofFamily(holder, family) !== undefined && holder.expiresMs <= options.nowMs,
  ).length;
  const message = exhaustedText({ range, family, held: taken.length, lapsed });
  throw new DeniedError(problem('no-lease-free', message));
}

interface Exhaustion {
  readonly range: NetworkFamily;
  readonly family: Family;
  readonly held: number;
  /** How many of the leases have expired, but not for long enough. */
  readonly lapsed: number;
}

function exhaustedText({ range, family, held, lapsed }: Exhaustion): string {
  const { subnetMin, subnetMax, subnetLength } = range;
  const all = `all ${subnetCapacity(range)} from '${subnetMin}/${subnetLength}' to '${subnetMax}/${subnetLength}'`;
  const soon = lapsed === 0 ? '' : `, ${lapsed} of which expired and can be taken over in two minutes`;
  return `No IPv${family} subnet is free: ${all} are held by ${held} leases${soon}`;
}

function wantedFamily(
  { request, network }: GrantOptions,
  family: Family,
): { readonly range: NetworkFamily; readonly previous: Prefix | undefined } | undefined {
  const range = networkFamily(network, family);
  const wish: LeaseRequestFamily | undefined = family === 4 ? request.ipv4 : request.ipv6;
  return range === undefined || wish === undefined ? undefined : { range, previous: wish.previous };
}

function overlaps(holder: SubnetHolder, subnets: Subnets): boolean {
  return FAMILIES.some((family) => {
    const theirs = ofFamily(holder, family);
    const ours = ofFamily(subnets, family);
    return theirs !== undefined && ours !== undefined && prefixesOverlap(theirs, ours);
  });
}

function ofFamily(subnets: Subnets, family: Family): Prefix | undefined {
  return family === 4 ? subnets.ipv4 : subnets.ipv6;
}
