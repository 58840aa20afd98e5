/**
 * A whole agent on a fake kernel, a fake store and a fake clock.
 *
 * @module
 */
import { Agent } from '../../src/agent/agent.ts';
import { AgentJournal } from '../../src/agent/journal.ts';
import type { LogFields, Logger } from '../../src/log.ts';
import { LogLimit } from '../../src/log-limit.ts';
import type { Family, Ip, Prefix } from '../../src/model/ip.ts';
import type { BackendConfig } from '../../src/model/network.ts';
import type { Problem } from '../../src/model/problem.ts';
import { fail, ok } from '../../src/model/result.ts';
import type { InterfaceChoice } from '../../src/model/settings.ts';
import type { Claims } from '../../src/reconcile/target.ts';
import { createNotifier } from '../../src/sd-notify.ts';
import { Service } from '../../src/service.ts';
import { FakeAlien, showFakeKernel } from '../contract/fake-world.ts';
import { UNDERLAY } from '../contract/world.ts';
import { seededRandom } from '../fuzz/random.ts';
import { FakeClock } from './fake-clock.ts';
import { hostOf } from './fake-host.ts';
import { FakeKernel } from './fake-kernel.ts';
import { FakeSource } from './fake-source.ts';
import { deliverEvents, FakeTarget } from './fake-target.ts';
import { ip, leaseOf, macOf, networkOf, VXLAN } from './samples.ts';

/** What differs from a dual-stack vxlan node. */
export interface AgentRigOptions {
  readonly backend?: BackendConfig;
  readonly families?: readonly Family[];
  readonly choice?: Partial<InterfaceChoice>;
  readonly previous?: { readonly ipv4: Prefix | undefined; readonly ipv6: Prefix | undefined };
  readonly formerLinks?: readonly string[];
  readonly kernel?: FakeKernel;
  /** What systemd puts into the environment besides the socket. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One node. */
export class AgentRig {
  readonly clock = new FakeClock();
  readonly kernel: FakeKernel;
  readonly target: FakeTarget;
  readonly alien: FakeAlien;
  readonly source = new FakeSource();
  readonly agent: Agent;
  /** `level message key=value`. */
  readonly log: string[] = [];
  /** What systemd was told. */
  readonly told: string[] = [];
  readonly service: Service;
  /** What makes a pass wait; a test may let it wait for ever. */
  yieldNow: () => Promise<void> = () => Promise.resolve();
  /** Every claim, with how many changes had been made before it. */
  readonly claims: { readonly links: readonly string[]; readonly changes: number }[] = [];
  /** Why claims cannot be written down. */
  stateProblem: Problem | undefined;
  /** Why the host cannot be read. */
  hostProblem: Problem | undefined;
  hostReads = 0;
  #claims: Claims = { links: new Set(), networks: [] };

  constructor(options: AgentRigOptions = {}) {
    this.kernel = options.kernel ?? new FakeKernel();
    this.target = new FakeTarget(this.kernel);
    this.alien = new FakeAlien(this.kernel);
    if (options.kernel === undefined) this.plugIn();
    const send = (_: string, text: string) => {
      this.told.push(text);
      return 0;
    };
    const env = { NOTIFY_SOCKET: '@fake', ...options.env };
    this.service = new Service(createNotifier({ env, pid: 1, send }), this.clock);
    this.agent = this.#makeAgent(options);
    this.service.begin({
      isReady: () => this.agent.readiness().ready,
      sentence: () => this.agent.sentence(),
      prove: (proof) => (proof === 'pass' ? this.agent.prove() : this.service.seen(proof)),
    });
  }

  /** Starts it and lets it come to rest. */
  static async started(options: AgentRigOptions = {}): Promise<AgentRig> {
    const rig = new AgentRig(options);
    rig.agent.start();
    await rig.run(1_000);
    return rig;
  }

  /** Starts a vxlan node with these peers. */
  static async withPeers(...numbers: readonly number[]): Promise<AgentRig> {
    const rig = new AgentRig();
    for (const n of numbers) rig.source.peers.set(`node-${n}`, leaseOf(n));
    rig.agent.start();
    await rig.run(1_000);
    return rig;
  }

  /** The underlay interface with its addresses. */
  plugIn(addresses: readonly string[] = ['192.168.0.1', 'fd99::1'], mtuBytes = 1500): void {
    const device = { type: 'other', name: '' } as const;
    this.alien.make({ kind: 'link', name: UNDERLAY, mtuBytes, mac: macOf(99, 4), device });
    this.alien.setLink(UNDERLAY, { up: true });
    for (const address of addresses) this.setAddress('add', address);
  }

  unplug(): void {
    const device = { type: 'other', name: '' } as const;
    this.alien.remove({ kind: 'link', name: UNDERLAY, mtuBytes: 0, mac: macOf(99, 4), device });
  }

  setAddress(verb: 'add' | 'remove', text: string): void {
    const address = {
      kind: 'address',
      link: UNDERLAY,
      ip: ip(text),
      length: text.includes(':') ? 64 : 24,
    } as const;
    if (verb === 'add') this.alien.make(address);
    else this.alien.remove(address);
  }

  /** Delivers what the kernel has announced. */
  hear(): void {
    deliverEvents(this.kernel, this.#claims, {
      moved: (observed, gone) => this.agent.moved(observed, gone),
      look: (cause) => this.agent.look(cause),
      underlay: (event) =>
        this.agent.hostEvent(
          event.kind === 'link' ? { ...event, link: event.name, state: JSON.stringify(event) } : event,
        ),
    });
  }

  /** Lets events and timers run. */
  async run(ms: number, stepMs = 50): Promise<void> {
    for (let leftMs = ms; leftMs >= 0; leftMs -= stepMs) {
      this.hear();
      await this.clock.advance(Math.min(stepMs, leftMs));
    }
  }

  /** What the kernel has, in the words of iproute2. */
  show(): string[] {
    return showFakeKernel(this.kernel);
  }

  get subnetEnv(): string | undefined {
    return this.kernel.files.get('/run/flannel/subnet.env');
  }

  /** What keeps it from being ready. */
  codes(): string[] {
    return this.agent.readiness().problems.map(({ code }) => code);
  }

  #makeAgent({ backend = VXLAN, families, choice, previous, formerLinks = [] }: AgentRigOptions): Agent {
    const random = seededRandom(1);
    const log = this.#logger();
    return new Agent({
      version: '1.2.3',
      uptimeMs: () => this.clock.monotonicMs(),
      published: undefined,
      settings: {
        nodeName: 'node-1',
        netConfigPath: '',
        subnetFile: '/run/flannel/subnet.env',
        stateDir: '',
        socketPath: '',
        cni: undefined,
        leases: { kind: 'sqlite', path: '' },
        interfaceChoice: {
          names: [],
          patterns: [],
          canReach: undefined,
          publicIpv4: undefined,
          publicIpv6: undefined,
          ...choice,
        },
        ipMasq: false,
        masqFullyRandom: true,
        forwardRules: true,
        iptables: false,
        fixForward: false,
        blackhole: false,
        renewMarginMinutes: 60,
        healthzIp: '0.0.0.0',
        healthzPort: 0,
        logFormat: 'logfmt',
        verbosity: 0,
      },
      network: networkOf(backend, families),
      target: this.target,
      forwarding: () => ({ settings: {}, notes: [] }),
      readHost: (canReach: Ip | undefined) => {
        this.hostReads++;
        return this.hostProblem === undefined ? ok(hostOf(this.kernel, canReach)) : fail(this.hostProblem);
      },
      source: this.source,
      identity: { macIpv4: macOf(1, 4), macIpv6: macOf(1, 6) },
      previous: previous ?? { ipv4: undefined, ipv6: undefined },
      formerLinks,
      clock: this.clock,
      random: () => random(1 << 20) / (1 << 20),
      whoIs: () => undefined,
      yieldNow: () => this.yieldNow(),
      journal: new AgentJournal({
        log,
        limit: new LogLimit(log, { now: this.clock.monotonicMs }),
        onNews: () => this.service.changed(),
      }),
      onClaims: (claims) => {
        this.#claims = claims;
        this.claims.push({ links: [...claims.links], changes: this.target.changes.length });
        return this.stateProblem;
      },
      otherProblems: () => [],
      onWork: () => undefined,
      onAlive: () => this.service.seen('pass'),
    });
  }

  #logger(): Logger {
    const write =
      (level: string) =>
      (message: string, fields: LogFields = {}) => {
        const pairs = Object.entries(fields).flatMap(([key, value]) =>
          value === undefined ? [] : [`${key}=${value}`],
        );
        this.log.push([level, message, ...pairs].join(' '));
      };
    return { debug: () => undefined, info: write('info'), warn: write('warn'), error: write('error') };
  }
}
