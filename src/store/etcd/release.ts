/**
 * Giving a node's lease in etcd back, and what is known of all leases before that. No lease has a node's name there:
 * the node's own is told by what the node has left.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';
import type { Ip, Mac, Prefix } from '../../model/ip.ts';
import type { Lease, LeaseFamily } from '../../model/lease.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import type { EtcdStoreSettings } from '../../model/settings.ts';
import { parseAttributes } from '../attributes.ts';
import type { FamilyAttributes } from '../lease-attributes.ts';
import { EtcdClient } from './client.ts';
import { etcdProblem } from './failure.ts';
import { Gateway } from './gateway.ts';
import { subnetsOf } from './keys.ts';
import { type KeyValue, keysBelow } from './messages.ts';
import { NO_LEASE } from './take.ts';

/** What a lease of this node can be told by. */
export interface NodeMarks {
  /** Those that its devices have, or had. */
  readonly macs: ReadonlySet<Mac>;
  /** Those of the subnet.env that it wrote; none if that is not sure. */
  readonly subnets: readonly Prefix[];
  /** Those of its interfaces. */
  readonly addresses: ReadonlySet<Ip>;
}

/** All leases, seen from one node. */
export interface EtcdSurvey {
  readonly own:
    | {
        readonly subnets: readonly Prefix[];
        readonly lease: Lease;
        /** It is an operator's reservation, and is not given back. */
        readonly reserved: boolean;
      }
    | undefined;
  /** The others that make sense. */
  readonly peers: readonly Lease[];
  /** How many other keys there are, whether they make sense or not. */
  readonly others: number;
}

/** The leases of one etcd. */
export class EtcdLeases {
  readonly #client: EtcdClient;
  readonly #prefix: string;
  #own: KeyValue | undefined;

  constructor(settings: EtcdStoreSettings, clock: Clock) {
    this.#client = new EtcdClient(new Gateway(settings, clock));
    this.#prefix = settings.prefix;
  }

  /** Reads everything, and changes nothing. */
  async survey(marks: NodeMarks): Promise<Result<EtcdSurvey, Problem>> {
    let own: EtcdSurvey['own'];
    const peers: Lease[] = [];
    let others = 0;
    for (const directory of [`${this.#prefix}/subnets/`, `${this.#prefix}/ipv6-subnets/`]) {
      const list = await this.#client.list(keysBelow(directory), (keyValue) => {
        const lease = leaseOf(keyValue.key.slice(directory.length), keyValue);
        if (lease !== undefined && own === undefined && isOwn(lease, marks)) {
          this.#own = keyValue;
          own = { subnets: subnetsIn(lease), lease, reserved: keyValue.lease === NO_LEASE };
          return;
        }
        others++;
        if (lease !== undefined) peers.push(lease);
      });
      if (!list.ok) return fail(etcdProblem(list.error));
    }
    return ok({ own, peers, others });
  }

  /** Deletes the own key that the survey has found, if it is as it was then. */
  async release(): Promise<Result<void, Problem>> {
    if (this.#own === undefined) return ok(undefined);
    const { key, modRevision } = this.#own;
    const compare = { target: 'unchanged', keys: key, modRevision } as const;
    const deleted = await this.#client.commit(compare, { kind: 'delete', key });
    if (!deleted.ok) return fail(etcdProblem(deleted.error));
    if (deleted.value !== undefined) return ok(undefined);
    return fail(problem('store-unavailable', `Key '${key}' of etcd has changed meanwhile`));
  }
}

function leaseOf(name: string, { value }: KeyValue): Lease | undefined {
  const attributes = parseAttributes(value);
  if (!attributes.ok) return undefined;
  const { ipv4, ipv6 } = subnetsOf(name);
  const half = (subnet: Prefix | undefined, { publicIp, vtep }: FamilyAttributes): LeaseFamily | undefined =>
    subnet === undefined || publicIp === undefined ? undefined : { subnet, publicIp, vtep };
  const lease = {
    node: name,
    backendType: attributes.value.backendType,
    ipv4: half(ipv4, attributes.value.ipv4),
    ipv6: half(ipv6, attributes.value.ipv6),
  };
  return lease.ipv4 === undefined && lease.ipv6 === undefined ? undefined : lease;
}

function subnetsIn({ ipv4, ipv6 }: Lease): Prefix[] {
  return [ipv4, ipv6].flatMap((half) => half?.subnet ?? []);
}

/** By a MAC of the node's, else by a subnet of its subnet.env and an address of its interfaces together. */
function isOwn(lease: Lease, { macs, subnets, addresses }: NodeMarks): boolean {
  return [lease.ipv4, lease.ipv6].some(
    (half) =>
      half !== undefined &&
      ((half.vtep !== undefined && macs.has(half.vtep.mac)) ||
        (subnets.includes(half.subnet) && addresses.has(half.publicIp))),
  );
}
