/**
 * The own Node: what lease it gives, who waits for it, and what it should say.
 *
 * @module
 */
import type { Family } from '../../model/ip.ts';
import { type Lease, sameLease } from '../../model/lease.ts';
import type { LeaseRequest, OwnLease, PublicAddresses } from '../../model/lease-source.ts';
import type { NetworkConfig } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import { ok, type Result } from '../../model/result.ts';
import { judgeLease } from '../accept.ts';
import { subnetsOf } from '../remembered/restored-lease.ts';
import { ANNOTATION, addressIn, annotationFaults, leaseOf, ownAnnotations } from './annotations.ts';
import type { KubeNode } from './node.ts';
import { ownLease } from './own-subnets.ts';
import type { Published, Publisher } from './publisher.ts';

/** What an {@link OwnNode} needs. */
export interface OwnNodeOptions {
  readonly node: string;
  readonly network: NetworkConfig;
  /** Of annotations, for messages. */
  readonly prefix: string;
  /** Whether peers are told the Node's ExternalIP. */
  readonly externalIp: boolean;
  /** Whether the Node's condition is set once the network is up. */
  readonly setNetworkUnavailable: boolean;
  readonly publisher: Pick<Publisher, 'setNode' | 'setWanted'>;
  readonly log: (text: string) => void;
  /** The lease that was given is another's by now. */
  readonly onLost: (reason: string) => void;
  /** What the Node's annotations say about the node's own addresses. */
  readonly onPublicAddresses: (addresses: PublicAddresses) => void;
  /** What the lease waits for. */
  readonly onProblem: (problem: Problem | undefined) => void;
}

type Waiting = (own: Result<OwnLease, Problem>) => void;

/** See the module. */
export class OwnNode {
  readonly #options: OwnNodeOptions;
  #node: KubeNode | undefined;
  /** Whether it is known that there is a Node, or that there is none. */
  #isKnown = false;
  #isDoubted = false;
  #request: LeaseRequest | undefined;
  #given: Lease | undefined;
  #waiting: Waiting[] = [];
  #isUp = false;
  #faults = '';
  /** As they were told last. */
  #addresses: PublicAddresses | undefined;

  constructor(options: OwnNodeOptions) {
    this.#options = options;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Seconds since the epoch; `undefined` if there is no Node. */
  get createdS(): number | undefined {
    return this.#node?.createdS;
  }

  /** The lease as the Node tells it to peers. */
  get published(): Lease | undefined {
    const raw = this.#node && leaseOf(this.#node);
    return raw && judgeLease(raw, this.#options.network).lease;
  }

  /** The lease that was given out last. */
  get given(): Lease | undefined {
    return this.#given;
  }

  /** The Node as it is now; what is older than what is known is passed over. */
  put(node: KubeNode): void {
    const known = this.#isDoubted ? undefined : this.#node;
    this.#isDoubted = false;
    const isOlder = node.uid === known?.uid && Number(node.resourceVersion) < Number(known.resourceVersion);
    if (!isOlder) this.#setNode(node);
  }

  /** What comes next is believed, however old it seems: an etcd that was restored counts from an earlier version. */
  restarted(): void {
    this.#isDoubted = true;
  }

  /** There is no such Node, or not any more. */
  gone(): void {
    this.#setNode(undefined);
  }

  /** Gives the lease as soon as there is one. */
  acquire(request: LeaseRequest): Promise<Result<OwnLease, Problem>> {
    this.#request = request;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#settle();
    });
  }

  /** What is asked for is another by now: what waits for a family may have to wait no longer. */
  revise(request: LeaseRequest): void {
    this.#request = request;
    this.#settle();
  }

  /** The node's network works. */
  networkUp(): void {
    this.#isUp = this.#options.setNetworkUnavailable;
    this.#publish();
  }

  #setNode(node: KubeNode | undefined): void {
    const { publisher, prefix, log } = this.#options;
    this.#node = node;
    this.#isKnown = true;
    publisher.setNode(node);
    const faults = node === undefined ? [] : annotationFaults(node.annotations, prefix);
    if (faults.join() !== this.#faults) for (const fault of faults) log(fault);
    this.#faults = faults.join();
    if (node !== undefined) this.#tellAddresses(node);
    this.#settle();
  }

  /** The first Node tells in any case, since what is remembered of an earlier one may be over. */
  #tellAddresses({ annotations }: KubeNode): void {
    const ofFamily = (family: Family) => addressIn(annotations, ANNOTATION.nodePublicIp[family], family);
    const addresses = { ipv4: ofFamily(4), ipv6: ofFamily(6) };
    const before = this.#addresses;
    if (before !== undefined && addresses.ipv4 === before.ipv4 && addresses.ipv6 === before.ipv6) return;
    this.#addresses = addresses;
    this.#options.onPublicAddresses(addresses);
  }

  /** Gives the lease to those who wait, or says that it is another. */
  #settle(): void {
    const { network, onProblem, onLost } = this.#options;
    const request = this.#request;
    if (request === undefined || !this.#isKnown) return;
    const lease = ownLease({ request, network, node: this.#node });
    // A node that was deleted keeps its network: its pods still have it.
    onProblem(lease.ok ? undefined : lease.error);
    if (!lease.ok) return;
    this.#publish();
    const before = this.#given;
    if (this.#waiting.length > 0) {
      this.#given = lease.value;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const give of waiting) give(ok({ lease: lease.value, expiresAtMs: undefined }));
    } else if (before !== undefined && !sameLease(before, lease.value)) {
      this.#given = undefined;
      onLost(`the podCIDR of this node is ${subnetsOf(lease.value)} now, was ${subnetsOf(before)}`);
    }
  }

  #publish(): void {
    const { network, externalIp, publisher } = this.#options;
    if (this.#request === undefined || this.#node === undefined) return;
    const { annotations, status } = this.#node;
    const externalIps = externalIp ? (status?.externalIps ?? []) : [];
    const wanted: Published = {
      annotations: ownAnnotations({ request: this.#request, network, annotations, externalIps }),
      isNetworkUp: this.#isUp,
    };
    publisher.setWanted(wanted);
  }
}
