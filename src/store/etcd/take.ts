/**
 * One attempt to take the node's lease: everything is read once, and one transaction writes what was decided if
 * nothing that matters has changed meanwhile.
 *
 * @module
 */
import type { Lease } from '../../model/lease.ts';
import type { LeaseRequest } from '../../model/lease-source.ts';
import type { NetworkConfig } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import { formatAttributes } from '../attributes.ts';
import { quoted } from '../printable.ts';
import { type Candidate, chooseSubnets, completeRequest, overlapSome, Survey } from './choice.ts';
import type { EtcdClient } from './client.ts';
import type { EtcdFailure } from './failure.ts';
import { leaseName, type Subnets } from './keys.ts';
import { type Change, type Compare, keysBelow } from './messages.ts';

/** flannel's time of a lease: 24 hours. */
export const TTL_SECONDS = 86_400;

/** What goes with no lease of etcd: a reservation, which an operator has made and which stays. */
export const NO_LEASE = '0';

/** The key that the node holds. */
export interface Held {
  /** The last part of the key. */
  readonly name: string;
  readonly subnets: Subnets;
  readonly value: string;
  /** The lease of etcd that the key goes with, or {@link NO_LEASE}. */
  readonly leaseId: string;
  readonly modRevision: number;
  /** What that lease has left; `undefined` if the key does not expire. */
  readonly ttlMs: number | undefined;
  readonly lease: Lease;
}

/** Why there is no lease: somebody else was faster, etcd did not do what it was asked, or there is none to be had. */
export type TakeFailure =
  | { readonly kind: 'raced' }
  | { readonly kind: 'etcd'; readonly failure: EtcdFailure }
  | { readonly kind: 'denied'; readonly problem: Problem };

/** All that an attempt depends on. */
export interface TakeOptions {
  readonly client: EtcdClient;
  /** What the keys of leases begin with. */
  readonly directory: string;
  readonly network: NetworkConfig;
  readonly request: LeaseRequest;
  /** All leases as they have just been read for this request; they are read if absent. */
  readonly survey?: Survey | undefined;
  /** What this process held before. */
  readonly last: Subnets;
  readonly random: () => number;
  /** Told of the name that is about to be written. */
  readonly onClaim: (name: string) => void;
  readonly log: (text: string) => void;
}

type Taken = Result<Held, TakeFailure>;

/** See the module. */
export async function takeLease(options: TakeOptions): Promise<Taken> {
  const survey = options.survey === undefined ? await surveyLeases(options) : ok(options.survey);
  if (!survey.ok) return lost(survey.error);
  const own = survey.value.own.find((each) => survey.value.isCompatible(each));
  const request = completeRequest(options.request, options.network, own ?? survey.value.own[0]);
  if (!request.ok) return fail({ kind: 'denied', problem: request.error });
  const complete = { ...options, request: request.value };
  const stale = survey.value.own.filter((each) => !survey.value.isCompatible(each));
  for (const each of stale) {
    const removed = await removeStale(complete, each);
    if (!removed.ok) return removed;
  }
  return own === undefined ? create(complete, survey.value) : update(complete, own);
}

async function surveyLeases({
  client,
  directory,
  request,
  network,
}: TakeOptions): Promise<Result<Survey, EtcdFailure>> {
  const survey = new Survey(request, network);
  const list = await client.list(keysBelow(directory), (keyValue) =>
    survey.see(keyValue.key.slice(directory.length), keyValue),
  );
  return list.ok ? ok(survey) : list;
}

/** What was leased for another network is given back, as flannel does. A reservation stays: it is an operator's. */
async function removeStale(
  options: TakeOptions,
  { name, keyValue }: Candidate,
): Promise<Result<void, TakeFailure>> {
  if (keyValue.lease === NO_LEASE) return ok(undefined);
  const { key, modRevision } = keyValue;
  const removed = await options.client.commit(
    { target: 'unchanged', keys: key, modRevision },
    { kind: 'delete', key },
  );
  if (!removed.ok) return lost(removed.error);
  if (removed.value === undefined) return fail({ kind: 'raced' });
  options.log(`Gave back the lease ${quoted(name)}, which does not fit the network's configuration`);
  return ok(undefined);
}

/** Brings the own key up to date. One that says the same already is not written. */
async function update(options: TakeOptions, { name, keyValue, subnets }: Candidate): Promise<Taken> {
  const { client } = options;
  const { key, modRevision, lease } = keyValue;
  const value = formatAttributes(options.request);
  let ttlMs: number | undefined;
  if (lease !== NO_LEASE) {
    const alive = await client.keepAlive(lease);
    if (!alive.ok) return lost(alive.error);
    if (alive.value.ttlSeconds === 0) return fail({ kind: 'raced' });
    ttlMs = alive.value.ttlSeconds * 1000;
  }
  // A lease of somebody else's making may be too short to be kept.
  const isShort = ttlMs !== undefined && ttlMs < (TTL_SECONDS * 1000) / 2;
  const held = { name, subnets, value, leaseId: lease, ttlMs, lease: leaseOf(options.request, subnets) };
  if (!isShort && keyValue.value === value) return ok({ ...held, modRevision });
  options.onClaim(name);
  const compare: Compare = { target: 'unchanged', keys: key, modRevision };
  if (isShort) return commitWithLease(options, { compare, key, held });
  const change: Change = { kind: 'put', key, value, lease: undefined };
  const committed = await client.commit(compare, change);
  if (!committed.ok) return lost(committed.error);
  return committed.value === undefined
    ? fail({ kind: 'raced' })
    : ok({ ...held, modRevision: committed.value });
}

/** Takes a free subnet, of which nobody else may have taken the first half meanwhile. */
async function create(options: TakeOptions, survey: Survey): Promise<Taken> {
  const { directory, network, request, last, random, onClaim } = options;
  const former = [last, ...survey.own.map(({ subnets }) => subnets)];
  const chosen = chooseSubnets({ request, network, former, taken: survey.taken, random });
  if (!chosen.ok) return fail({ kind: 'denied', problem: chosen.error });
  const subnets = chosen.value;
  const name = leaseName(subnets);
  const [first = name] = name.split('&');
  onClaim(name);
  const taken = await commitWithLease(options, {
    compare: { target: 'absent', keys: keysBelow(`${directory}${first}`) },
    key: `${directory}${name}`,
    held: { name, subnets, value: formatAttributes(request), lease: leaseOf(request, subnets) },
  });
  const isDual = subnets.ipv4 !== undefined && subnets.ipv6 !== undefined;
  return taken.ok && isDual ? verify(options, taken.value) : taken;
}

interface NewKey {
  readonly compare: Compare;
  readonly key: string;
  readonly held: Omit<Held, 'leaseId' | 'ttlMs' | 'modRevision'>;
}

async function commitWithLease({ client }: TakeOptions, { compare, key, held }: NewKey): Promise<Taken> {
  const granted = await client.grant(TTL_SECONDS);
  if (!granted.ok) return lost(granted.error);
  const { id, ttlSeconds } = granted.value;
  const committed = await client.commit(compare, { kind: 'put', key, value: held.value, lease: id });
  if (!committed.ok) return lost(committed.error);
  if (committed.value !== undefined)
    return ok({ ...held, leaseId: id, ttlMs: ttlSeconds * 1000, modRevision: committed.value });
  await client.revoke(id);
  return fail({ kind: 'raced' });
}

/**
 * Two nodes that take different IPv4 subnets at one time may take one IPv6 subnet, since no condition can be put on
 * the second half of a key. Whoever came later gives back.
 */
async function verify(options: TakeOptions, held: Held): Promise<Taken> {
  const { client, directory } = options;
  const survey = new Survey({ ...options.request, ipv4: undefined, ipv6: undefined }, options.network);
  const list = await client.list(keysBelow(directory), (keyValue) => {
    if (keyValue.createRevision < held.modRevision)
      survey.see(keyValue.key.slice(directory.length), keyValue);
  });
  if (!list.ok) return lost(list.error);
  if (!overlapSome(held.subnets, survey.taken)) return ok(held);
  await client.revoke(held.leaseId);
  return fail({ kind: 'raced' });
}

function leaseOf({ node, backendType, ipv4, ipv6 }: LeaseRequest, subnets: Subnets): Lease {
  const half = (subnet: Subnets['ipv4'], family: LeaseRequest['ipv4']) =>
    subnet === undefined || family === undefined
      ? undefined
      : { subnet, publicIp: family.publicIp, vtep: family.vtep };
  return { node, backendType, ipv4: half(subnets.ipv4, ipv4), ipv6: half(subnets.ipv6, ipv6) };
}

function lost(failure: EtcdFailure): { readonly ok: false; readonly error: TakeFailure } {
  return fail({ kind: 'etcd', failure });
}
