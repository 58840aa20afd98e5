/**
 * Leases from the annotations of Kubernetes nodes, which real flanneld nodes understand and write.
 *
 * The Nodes are watched, each reduced to a lease as it arrives; the subnets are those that Kubernetes has assigned.
 * Without the API server the last good leases stay in use.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';
import type { Lease } from '../../model/lease.ts';
import type {
  LeaseChange,
  LeaseListener,
  LeaseRequest,
  LeaseSource,
  LeaseSourceStatus,
  OwnLease,
  PublicAddresses,
} from '../../model/lease-source.ts';
import type { NetworkConfig } from '../../model/network.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import type { KubeStoreSettings } from '../../model/settings.ts';
import type { RawLease } from '../accept.ts';
import { LeaseBook } from '../lease-book.ts';
import { Teller } from '../teller.ts';
import { leaseOf } from './annotations.ts';
import type { KubeApi } from './api.ts';
import type { KubeFailure } from './failure.ts';
import type { KubeNode } from './node.ts';
import { NodeWatch } from './node-watch.ts';
import { OwnNode } from './own-node.ts';
import { Publisher } from './publisher.ts';

/** What the source is made of. */
export interface KubeLeaseSourceOptions {
  readonly api: KubeApi;
  readonly settings: Pick<KubeStoreSettings, 'annotationPrefix' | 'externalIp' | 'setNetworkUnavailable'>;
  readonly node: string;
  readonly network: NetworkConfig;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: (text: string) => void;
  /** Collects garbage. */
  readonly collect: () => void;
}

/** How long a start waits for what the Node says of itself: its peers know its MAC from there. */
const OWN_PATIENCE_MS = 5_000;

/** So many Nodes leave some megabytes behind. */
const SWEEP_NODES = 500;

/** Where trouble is: the most important first. */
const PLACES = ['read', 'lease', 'write', 'contest'] as const;
type Place = (typeof PLACES)[number];

/** See the module. */
export class KubeLeaseSource implements LeaseSource {
  readonly #options: KubeLeaseSourceOptions;
  readonly #book: LeaseBook;
  readonly #own: OwnNode;
  readonly #publisher: Publisher;
  readonly #watch: NodeWatch;
  readonly #teller = new Teller<Place>({
    places: PLACES,
    take: () => this.#takeChange(),
    status: () => this.status(),
  });
  #addresses: PublicAddresses | undefined;
  /** Nodes of a list since garbage was collected. */
  #unswept = 0;
  #isStarted = false;
  #isSynced = false;
  #isClosed = false;
  #ownWaiting: (() => void)[] = [];

  constructor(options: KubeLeaseSourceOptions) {
    const { api, settings, node, network, clock, random, log } = options;
    this.#options = options;
    this.#book = new LeaseBook({ node, network });
    const filter = { prefix: Buffer.from(settings.annotationPrefix), own: node };
    this.#publisher = new Publisher({
      api,
      filter,
      prefix: settings.annotationPrefix,
      clock,
      random,
      onNode: (patched) => this.#put(patched),
      onProblem: (trouble) => this.#teller.setProblem('write', trouble),
    });
    this.#own = new OwnNode({
      node,
      network,
      prefix: settings.annotationPrefix,
      externalIp: settings.externalIp,
      setNetworkUnavailable: settings.setNetworkUnavailable,
      publisher: this.#publisher,
      log,
      onLost: (reason) => this.#teller.listener?.onOwnLeaseLost(reason),
      onPublicAddresses: (addresses) => {
        this.#addresses = addresses;
        this.#teller.listener?.onPublicAddresses?.(addresses);
      },
      onProblem: (trouble) => this.#teller.setProblem('lease', trouble),
    });
    this.#watch = new NodeWatch({
      api,
      filter,
      clock,
      random,
      sink: {
        put: (each) => this.#put(each),
        gone: (name) => this.#gone(name),
        listed: (names) => this.#listed(names),
        restarted: () => this.#own.restarted(),
        settled: () => this.#settled(),
        recovered: () => this.#teller.setProblem('read', undefined),
        failed: (failure) => this.#failed(failure),
      },
    });
  }

  /** What the Node tells peers now. A server that does not answer is waited for only a moment. */
  async own(): Promise<Result<Lease | undefined, Problem>> {
    this.#start();
    if (!this.#own.isKnown && this.#teller.problemAt('read') === undefined) {
      await new Promise<void>((resolve) => {
        this.#ownWaiting.push(resolve);
        this.#options.clock.schedule(OWN_PATIENCE_MS, resolve);
      });
    }
    if (this.#own.isKnown) return ok(this.#own.published);
    return fail(this.#teller.problemAt('read') ?? SLOW);
  }

  /** Gives the lease as soon as Kubernetes has assigned it; what it waits for is in the status. */
  async acquire(request: LeaseRequest): Promise<Result<OwnLease, Problem>> {
    this.#start();
    const own = await this.#own.acquire(request);
    if (own.ok) {
      this.#book.setOwn(own.value.lease);
      this.#teller.tell();
    }
    return own;
  }

  revise(request: LeaseRequest): void {
    this.#own.revise(request);
  }

  watch(listener: LeaseListener): void {
    this.#teller.listener = listener;
    this.#start();
    queueMicrotask(() => {
      if (this.#addresses !== undefined) this.#teller.listener?.onPublicAddresses?.(this.#addresses);
      this.#teller.tellStatus();
      this.#teller.tell();
    });
  }

  refresh(): void {
    if (this.#isClosed || this.#teller.listener === undefined) return;
    this.#book.retell();
    this.#isSynced = false;
    this.#watch.relist();
  }

  networkUp(): void {
    this.#own.networkUp();
  }

  status(): LeaseSourceStatus {
    return {
      name: `kubernetes ${this.#options.api.server ?? ''}`.trim(),
      problem: this.#teller.problem,
      heardAtMs: this.#watch.heardAtMs,
    };
  }

  /** A podCIDR does not expire. */
  ownExpiryMs(): undefined {
    return undefined;
  }

  /** Ends everything; the annotations stay. */
  close(): void {
    this.#isClosed = true;
    this.#teller.listener = undefined;
    this.#watch.close();
    this.#publisher.close();
  }

  #start(): void {
    if (this.#isStarted || this.#isClosed) return;
    this.#isStarted = true;
    this.#watch.start();
  }

  #put(node: KubeNode): void {
    if (node.name === this.#options.node) {
      this.#own.put(node);
      this.#ownIsKnown();
      return;
    }
    if (!this.#isSynced) this.#unswept++;
    const lease = leaseOf(node);
    if (lease === undefined) this.#book.remove(node.name);
    else this.#book.put(lease);
  }

  #gone(name: string): void {
    if (name === this.#options.node) this.#own.gone();
    else this.#book.remove(name);
  }

  /** A long list is put in order as it arrives, and leaves no more garbage behind than a short one. */
  #settled(): void {
    this.#book.settle();
    this.#sweep(SWEEP_NODES);
    this.#teller.tell();
  }

  #sweep(leastNodes: number): void {
    if (this.#unswept < leastNodes) return;
    this.#unswept = 0;
    this.#options.collect();
  }

  #listed(names: ReadonlySet<string>): void {
    for (const name of this.#book.nodes()) if (!names.has(name)) this.#book.remove(name);
    if (!names.has(this.#options.node)) this.#own.gone();
    this.#book.settle();
    // What follows a list makes garbage of its own.
    this.#sweep(SWEEP_NODES / 5);
    this.#isSynced = true;
    this.#teller.setProblem('read', undefined);
    this.#ownIsKnown();
  }

  #takeChange(): LeaseChange | undefined {
    const change = this.#isSynced ? this.#book.take() : undefined;
    if (change !== undefined) this.#teller.setProblem('contest', this.#contest());
    return change;
  }

  /** An older node has our subnet by the rule that all follow; our pods keep what they have. */
  #contest(): Problem | undefined {
    const { createdS } = this.#own;
    const own = { node: this.#options.node, order: createdS || Number.MAX_SAFE_INTEGER };
    const rival = this.#book.rivals().find((each) => isOlder(each, own));
    if (rival === undefined) return undefined;
    const subnet = this.#own.given?.ipv4?.subnet ?? this.#own.given?.ipv6?.subnet;
    const message = `The older node ${rival.node} has the subnet or address of this one (${subnet}) as well, and peers send there`;
    return problem('lease-contested', message);
  }

  #ownIsKnown(): void {
    for (const resolve of this.#ownWaiting) resolve();
    this.#ownWaiting = [];
    // Before anything is acquired, what the Node tells is ours: no peer may claim it.
    if (this.#own.given === undefined) this.#book.setOwn(this.#own.published);
  }

  #failed({ problem: trouble }: KubeFailure): void {
    this.#teller.setProblem('read', trouble);
    for (const resolve of this.#ownWaiting) resolve();
    this.#ownWaiting = [];
  }
}

/** As all nodes order them: by creation, then by name. */
function isOlder(a: Ranked, b: Ranked): boolean {
  return a.order === b.order ? a.node < b.node : a.order < b.order;
}

type Ranked = Pick<RawLease, 'node' | 'order'>;

const SLOW = problem('store-unavailable', 'The API server has not answered yet');
