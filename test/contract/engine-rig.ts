/**
 * The engine on a world, with real time.
 *
 * @module
 */
import { systemClock } from '../../src/clock.ts';
import type { Family } from '../../src/model/ip.ts';
import type { Lease } from '../../src/model/lease.ts';
import type { BackendConfig } from '../../src/model/network.ts';
import type { KernelObject } from '../../src/model/objects.ts';
import type { Underlay } from '../../src/model/underlay.ts';
import { plan } from '../../src/plan/plan.ts';
import { Reconciler } from '../../src/reconcile/reconciler.ts';
import type { DesiredState } from '../../src/reconcile/run-pass.ts';
import type { Change, Failure, Look, LookVisitor, Scope, Target } from '../../src/reconcile/target.ts';
import { leaseOf, networkOf, underlayOf, VXLAN } from '../sim/samples.ts';
import { CLAIMS } from './hands.ts';
import { lineOf, type World } from './world.ts';

/** The longest that anything may take. */
const SETTLE_MS_MAX = 5_000;

/** What is planned. */
export interface EnginePlan {
  readonly backend?: BackendConfig;
  readonly families?: readonly Family[];
  readonly underlay?: Partial<Underlay>;
}

/** One agent's engine. */
export class EngineRig implements Disposable {
  readonly world: World;
  readonly changes: Change[] = [];
  readonly #reconciler: Reconciler;
  readonly #leases = new Map<string, Lease>();
  #desired: DesiredState = { node: [], routes: [], rules: [], files: [], peer: () => [] };
  #passes = 0;

  constructor(world: World) {
    this.world = world;
    world.setClaims(CLAIMS);
    this.#reconciler = new Reconciler({
      target: new RecordingTarget(world.target, this.changes),
      clock: systemClock,
      random: () => 0.5,
      whoIs: () => undefined,
      yieldNow: () => new Promise((resolve) => setImmediate(resolve)),
      onAlive: () => undefined,
      onPass: () => {
        this.#passes += 1;
      },
      onAudit: () => undefined,
      onHeld: () => this.#tell(),
    });
    world.listen({
      moved: (observed, gone) => this.#reconciler.moved(observed, gone),
      look: (cause) => this.#reconciler.look(cause),
      underlay: ({ kind }) => {
        if (kind !== 'route') this.#reconciler.look('underlay');
      },
    });
  }

  /** Gives the engine a plan, with these peers. */
  want(
    peers: readonly Lease[],
    { backend = VXLAN, families = [4, 6], underlay = {} }: EnginePlan = {},
  ): void {
    this.#leases.clear();
    for (const lease of peers) this.#leases.set(lease.node, lease);
    this.#desired = plan({
      network: networkOf(backend, families),
      own: leaseOf(1, { families, backendType: backend.type }),
      underlay: underlayOf(underlay),
      subnetFile: `${this.world.directory}/subnet.env`,
      ipMasq: false,
      fullyRandom: true,
      forward: true,
      iptables: false,
      fixForward: false,
      blackhole: false,
    });
    this.#reconciler.setDesired(this.#desired, CLAIMS, 'plan');
    this.#tell();
  }

  /** Waits until the kernel is as it should be, and says how it differs if it never is. */
  async settled(): Promise<void> {
    const deadlineMs = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      await this.world.heard();
      await Bun.sleep(5);
      const difference = this.difference();
      if (difference.length === 0 && this.#reconciler.converged) return;
      if (performance.now() < deadlineMs) continue;
      const failures = [...this.#reconciler.failures()].map(({ message }) => message);
      throw new Error(['The kernel does not come in line', ...difference, ...failures].join('\n'));
    }
  }

  /** Looks at everything once more, and gives back what had to be changed. */
  async changesOfAnotherLook(): Promise<string[]> {
    await this.world.heard();
    await Bun.sleep(20);
    this.changes.length = 0;
    const passes = this.#passes;
    this.#reconciler.look('again');
    while (this.#passes === passes) await Bun.sleep(2);
    return this.changes.map(({ verb, object, why }) => `${verb} ${lineOf(object)}: ${why}`);
  }

  /** Lines that are missing (`-`), and lines of ours that should not be there (`+`). */
  difference(): string[] {
    const shown = this.world.show();
    const wanted = this.#wantedLines();
    const ours = shown.filter((line) => / dev flannel|^link flannel| proto 102$/.test(line));
    return [
      ...wanted.filter((line) => !shown.includes(line)).map((line) => `- ${line}`),
      ...ours.filter((line) => !wanted.includes(line)).map((line) => `+ ${line}`),
    ];
  }

  /** Ends the agent; the kernel keeps what it has. */
  [Symbol.dispose](): void {
    this.#reconciler.stop();
  }

  #wantedLines(): string[] {
    const { node, peer } = this.#desired;
    const objects: KernelObject[] = [...node, ...[...this.#leases.values()].flatMap((lease) => peer(lease))];
    return objects.filter(({ kind }) => kind !== 'sysctl' && kind !== 'offload').map(lineOf);
  }

  #tell(): void {
    this.#reconciler.setLeases({ peers: this.#leases, refused: [], synced: true }, 'all', 'leases');
  }
}

class RecordingTarget implements Target {
  readonly #target: Target;
  readonly #changes: Change[];

  constructor(target: Target, changes: Change[]) {
    this.#target = target;
    this.#changes = changes;
  }

  observe(scope: Scope, look: Look, visit: LookVisitor): Failure | undefined {
    return this.#target.observe(scope, look, visit);
  }

  apply(changes: readonly Change[]): ReadonlyMap<number, Failure> {
    this.#changes.push(...changes);
    return this.#target.apply(changes);
  }
}
