/**
 * The engine on a fake kernel with a fake clock: what `Agent` does for it on a real one is done here by hand.
 *
 * @module
 */
import type { Family } from '../../src/model/ip.ts';
import type { Lease } from '../../src/model/lease.ts';
import type { BackendConfig } from '../../src/model/network.ts';
import { type KernelObject, keyOf } from '../../src/model/objects.ts';
import type { Underlay } from '../../src/model/underlay.ts';
import type { Inputs } from '../../src/plan/backend.ts';
import { type Plan, plan } from '../../src/plan/plan.ts';
import type { Pass } from '../../src/reconcile/pass.ts';
import { Reconciler } from '../../src/reconcile/reconciler.ts';
import type { Claims, Failure } from '../../src/reconcile/target.ts';
import { FakeAlien } from '../contract/fake-world.ts';
import { lineOf, UNDERLAY, UNDERLAY_IPV4, UNDERLAY_IPV6 } from '../contract/world.ts';
import { type Random, seededRandom } from '../fuzz/random.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeKernel } from './fake-kernel.ts';
import { deliverEvents, FakeTarget } from './fake-target.ts';
import { leaseOf, mac, networkOf, underlayOf, VXLAN } from './samples.ts';

/** A store is asked again this long after a large removal is held. */
const SECOND_LIST_MS = 1_000;

/** The longest that the engine waits before it looks at everything unasked. */
export const AUDIT_MS_MAX = 600_000;

/** What the plan is made from; what is absent stays as it was. */
export interface RigPlan {
  readonly backend?: BackendConfig;
  readonly families?: readonly Family[];
  readonly underlay?: Underlay;
  readonly ipMasq?: boolean;
  readonly forward?: boolean;
  readonly fixForward?: boolean;
  readonly blackhole?: boolean;
}

/** What a rig is made with. */
export interface RigOptions extends RigPlan {
  readonly seed?: number;
  /** How many peers there are at first, from node 2 on. */
  readonly peers?: number;
  /** Whether the first list is complete. */
  readonly synced?: boolean;
  /** What an earlier agent has left behind. */
  readonly kernel?: FakeKernel;
}

/** A node. */
export class Rig {
  readonly clock = new FakeClock();
  readonly kernel: FakeKernel;
  readonly target: FakeTarget;
  readonly alien: FakeAlien;
  readonly reconciler: Reconciler;
  readonly leases = new Map<string, Lease>();
  readonly passes: Pass[] = [];
  readonly random: Random;
  /** Whether events are heard at all. */
  deaf = false;
  /** Whether a store answers when it is asked for another list. */
  storeAnswers = true;
  /** How often other work of the process got its turn. */
  yields = 0;
  /** Done whenever the engine yields. */
  onYield: () => void = () => undefined;
  synced: boolean;
  claims: Claims;
  #backend: BackendConfig;
  #families: readonly Family[];
  #underlay: Underlay;
  #ipMasq: boolean;
  #forward: boolean;
  #fixForward: boolean;
  #blackhole: boolean;
  #plan: Plan | undefined;

  constructor(options: RigOptions = {}) {
    const { seed = 1, peers = 0, synced = true, backend = VXLAN, families = [4, 6] } = options;
    this.kernel = options.kernel ?? new FakeKernel();
    this.target = new FakeTarget(this.kernel);
    this.alien = new FakeAlien(this.kernel);
    this.random = seededRandom(seed);
    this.synced = synced;
    this.#backend = backend;
    this.#families = families;
    this.#underlay = options.underlay ?? underlayOf();
    this.#ipMasq = options.ipMasq ?? false;
    this.#forward = options.forward ?? true;
    this.#fixForward = options.fixForward ?? false;
    this.#blackhole = options.blackhole ?? false;
    const { ipv4, ipv6 } = networkOf(VXLAN);
    this.claims = {
      links: new Set(),
      networks: [ipv4, ipv6].flatMap((each) => (each ? [each.network] : [])),
    };
    if (options.kernel === undefined) this.makeUnderlay();
    for (let n = 2; n < peers + 2; n++) this.set(leaseOf(n));
    this.reconciler = new Reconciler({
      target: this.target,
      clock: this.clock,
      random: () => this.random(1 << 20) / (1 << 20),
      whoIs: () => undefined,
      yieldNow: () => {
        this.yields++;
        this.onYield();
        return Promise.resolve();
      },
      onPass: (pass) => void this.passes.push(pass),
      onAlive: () => undefined,
      onAudit: () => undefined,
      onHeld: () =>
        void this.clock.schedule(SECOND_LIST_MS, () => {
          if (this.storeAnswers) this.tell('all');
        }),
    });
  }

  /** A rig that has converged. */
  static async converged(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    rig.replan();
    rig.tell('all');
    await rig.quiet();
    return rig;
  }

  get backend(): BackendConfig {
    return this.#backend;
  }

  get underlay(): Underlay {
    return this.#underlay;
  }

  get families(): readonly Family[] {
    return this.#families;
  }

  /** Everything that is wanted now. */
  wanted(): KernelObject[] {
    if (this.#plan === undefined) return [];
    const { node, routes, files, peer } = this.#plan;
    return [...node, ...routes, ...[...this.leases.values()].flatMap(peer), ...files];
  }

  /** The interface with its addresses, as it was or again. */
  makeUnderlay(): void {
    const { alien } = this;
    const device = { type: 'other', name: 'veth' } as const;
    const { mtuBytes, ipv4, ipv6 } = this.#underlay;
    alien.make({ kind: 'link', name: UNDERLAY, mtuBytes, mac: mac('02:00:00:00:99:01'), device });
    alien.setLink(UNDERLAY, { up: true });
    alien.make({ kind: 'address', link: UNDERLAY, ip: ipv4 ?? UNDERLAY_IPV4, length: 16 });
    alien.make({ kind: 'address', link: UNDERLAY, ip: ipv6 ?? UNDERLAY_IPV6, length: 64 });
  }

  /** Plans anew and gives the plan to the engine. */
  replan({
    backend = this.#backend,
    families = this.#families,
    underlay = this.#underlay,
    ipMasq = this.#ipMasq,
    forward = this.#forward,
    fixForward = this.#fixForward,
    blackhole = this.#blackhole,
  }: RigPlan = {}): void {
    this.#backend = backend;
    this.#families = families;
    this.#underlay = underlay;
    this.#ipMasq = ipMasq;
    this.#forward = forward;
    this.#fixForward = fixForward;
    this.#blackhole = blackhole;
    const inputs: Inputs = {
      network: networkOf(backend, families),
      own: leaseOf(1, { families, backendType: backend.type }),
      underlay,
      subnetFile: '/run/flannel/subnet.env',
      ipMasq: this.#ipMasq,
      fullyRandom: true,
      forward,
      iptables: false,
      fixForward,
      blackhole,
    };
    this.#plan = plan(inputs);
    const links = this.#plan.node.flatMap((object) => (object.kind === 'link' ? [object.name] : []));
    this.claims = { ...this.claims, links: new Set([...this.claims.links, ...links]) };
    this.reconciler.setDesired(this.#plan, this.claims, 'plan');
  }

  set(lease: Lease): void {
    this.leases.set(lease.node, lease);
  }

  /** Tells the engine of the leases as they are now. */
  tell(changed: readonly string[] | 'all'): void {
    const set = { peers: new Map(this.leases), refused: [], synced: this.synced };
    this.reconciler.setLeases(set, changed === 'all' ? 'all' : new Set(changed), 'leases');
  }

  /** Changes leases and tells of just those. */
  change(leases: readonly Lease[], gone: readonly string[] = []): void {
    for (const name of gone) this.leases.delete(name);
    for (const lease of leases) this.set(lease);
    this.tell([...leases.map(({ node }) => node), ...gone]);
  }

  /** Delivers what the kernel has announced, as `Agent` takes it. */
  hear(): void {
    if (this.deaf) this.kernel.events.length = 0;
    const look = (cause: string) => this.reconciler.look(cause);
    deliverEvents(this.kernel, this.claims, {
      moved: (observed, gone) => this.reconciler.moved(observed, gone),
      look,
      underlay: (event) => {
        const name = event.kind === 'link' ? event.name : event.link;
        if (name === UNDERLAY && event.kind !== 'route') look(`underlay ${name} changed`);
      },
    });
  }

  /** Lets events and timers run for `ms`. */
  async run(ms: number, stepMs = 50): Promise<void> {
    for (let leftMs = ms; leftMs >= 0; leftMs -= stepMs) {
      this.hear();
      await this.clock.advance(Math.min(stepMs, leftMs));
    }
  }

  /** Lets events and timers run until nothing happens any more for some seconds. */
  async quiet(): Promise<void> {
    for (let rounds = 0, passes = -1; passes !== this.passes.length; rounds++) {
      if (rounds > 100) throw new Error('It does not come to rest');
      passes = this.passes.length;
      await this.run(3_000, 500);
    }
  }

  /** What is ours in the kernel, in the words of iproute2, sorted. */
  ours(): string[] {
    const judge = new FakeTarget(this.kernel);
    const lines: string[] = [];
    for (const scope of ['links', 'node', 'peers', 'files'] as const) {
      const probe = this.wanted();
      judge.observe(scope, { claims: this.claims, probe }, ({ object, owner }) => {
        if (owner === 'ours') lines.push(textOf(object));
      });
    }
    return [...new Set(lines)].sort();
  }

  /** What should be there, in the words of iproute2, sorted. */
  wantedLines(): string[] {
    return this.wanted().map(textOf).sort();
  }

  /** Makes changes of matching keys fail with an errno, until it is called again without. */
  refuse(matches?: (key: string, verb: string) => boolean, errno = 22): void {
    this.target.fault = ({ object, verb }) => (matches?.(keyOf(object), verb) ? errno : 0);
  }

  /** Makes looks fail. */
  blind(failure: Failure | undefined): void {
    this.target.lookFault = () => failure;
  }

  /** The changes that were asked for since the last call, as `verb line`. */
  asked(): string[] {
    return this.target.changes.splice(0).map(({ verb, object }) => `${verb} ${lineOf(object)}`);
  }
}

/** What a pass changed. */
export function changesOf({ created, updated, removed }: Pass): number {
  return created + updated + removed;
}

/** A line that tells files with different text apart. */
function textOf(object: KernelObject): string {
  return object.kind === 'file' ? `${lineOf(object)} ${JSON.stringify(object.text)}` : lineOf(object);
}
