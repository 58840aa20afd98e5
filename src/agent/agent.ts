/**
 * The agent: from events to plans. It owns no socket, no file and no store; `src/run.ts` gives it what it needs.
 *
 * @module
 */
import { FAMILIES, type Family } from '../model/ip.ts';
import { type Lease, type LeaseSet, peerAddresses, sameLease } from '../model/lease.ts';
import type { LeaseChange, OwnLease } from '../model/lease-source.ts';
import type { AgentMeasures } from '../model/measures.ts';
import { networkFamily } from '../model/network.ts';
import type { AgentStatus } from '../model/status.ts';
import type { Underlay } from '../model/underlay.ts';
import { plan } from '../plan/plan.ts';
import type { Pass } from '../reconcile/pass.ts';
import { Reconciler } from '../reconcile/reconciler.ts';
import type { Observed } from '../reconcile/target.ts';
import { sameInterface, sameUnderlay } from '../underlay/select.ts';
import { ClaimsKeeper } from './claims-keeper.ts';
import { Coalescer } from './coalescer.ts';
import { type AgentFacts, agentMeasures, statusDocument } from './document.ts';
import { leaseRequest } from './lease-request.ts';
import { OwnLeaseClaim } from './own-lease.ts';
import type { AgentParts } from './parts.ts';
import { type Readiness, readinessOf } from './readiness.ts';
import { fightProblems, firstFailure, interfaceProblems } from './report.ts';
import { stateSentence } from './sentence.ts';
import { PassTotals } from './totals.ts';
import { type HostEvent, UnderlayFollower } from './underlay-follower.ts';

/** A store is asked for a second opinion on a large removal after this long. */
const SECOND_LIST_MS = 1_000;

/** After the node's own network could not be read. */
const READ_AGAIN_MS = 1_000;

/** One node's agent. */
export class Agent {
  readonly #parts: AgentParts;
  readonly #startedMs: number;
  readonly #families: readonly Family[];
  readonly #needsOnLink: boolean;
  readonly #underlay: UnderlayFollower;
  readonly #host: Coalescer;
  readonly #ownLease: OwnLeaseClaim;
  readonly #claims: ClaimsKeeper;
  readonly #reconciler: Reconciler;
  readonly #totals = new PassTotals();
  /** Devices that earlier configurations have made and this one does not name. */
  #formerLinks: readonly string[];
  /** What the last plan was made of. */
  #planned: { readonly lease: Lease; readonly underlay: Underlay } | undefined;
  /** The chosen link as it was announced last. */
  #linkState: string | undefined;
  #leases: LeaseSet | undefined;
  #readyAfterMs: number | undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    const { settings, network, clock, random, target, source, yieldNow, journal } = parts;
    this.#startedMs = clock.nowMs();
    this.#formerLinks = parts.formerLinks;
    this.#families = FAMILIES.filter((family) => networkFamily(network, family));
    this.#needsOnLink = network.backend.type === 'vxlan' && network.backend.directRouting;
    this.#underlay = new UnderlayFollower({
      choice: settings.interfaceChoice,
      families: this.#families,
      needsOnLink: this.#needsOnLink,
      readHost: parts.readHost,
      remembered: { 4: parts.published?.ipv4?.publicIp, 6: parts.published?.ipv6?.publicIp },
    });
    this.#host = new Coalescer({ clock, run: (cause) => this.#chooseUnderlay(cause) });
    this.#ownLease = new OwnLeaseClaim({
      source,
      clock,
      random,
      onLease: (own) => this.#replan(own, 'own lease'),
      onProblem: (trouble) => journal.problem('lease', trouble),
    });
    this.#claims = new ClaimsKeeper({
      clock,
      random,
      onClaims: parts.onClaims,
      onProblem: (trouble) => journal.problem('state', trouble),
    });
    this.#reconciler = new Reconciler({
      target,
      clock,
      random,
      whoIs: parts.whoIs,
      yieldNow,
      onPass: (pass, durationMs) => this.#passed(pass, durationMs),
      onAlive: parts.onAlive,
      onAudit: () => {
        this.#host.trigger('audit');
        this.#claims.again();
      },
      onHeld: () => void clock.schedule(SECOND_LIST_MS, () => source.refresh()),
    });
  }

  /** Begins to work. What is missing is waited for. */
  start(): void {
    this.#parts.source.watch({
      onLeases: (change) => this.#leasesChanged(change),
      onOwnLeaseLost: (reason) => {
        this.#parts.journal.ownLeaseLost(reason);
        const { current } = this.#underlay;
        if (current !== undefined) this.#requestLease(current);
      },
      onPublicAddresses: (addresses) => {
        this.#underlay.setPublicAddresses(addresses);
        this.#host.trigger('public address in the lease store');
      },
      onStatus: ({ problem: trouble }) => {
        this.#parts.journal.problem('store', trouble);
        this.#noteReadiness();
      },
    });
    this.#host.trigger('start');
  }

  /** Ends the work. The kernel keeps what it has: pods go on talking. */
  stop(): void {
    this.#host.cancel();
    this.#ownLease.stop();
    this.#claims.stop();
    this.#reconciler.stop();
    this.#parts.source.close();
  }

  /** The kernel announces a change of an object of a kind that we make. */
  moved(observed: Observed, gone: boolean): void {
    this.#reconciler.moved(observed, gone);
  }

  /** Events were lost: everything is looked at. */
  look(cause: string): void {
    this.#host.trigger(cause);
    this.#reconciler.look(cause);
  }

  /** The kernel announces a change of a link, address or route that is not ours. */
  hostEvent(event: HostEvent): void {
    // What is in the way may just have gone: why wait for the next try?
    if (event.kind === 'link' && event.gone) this.#reconciler.linkGone(event.link);
    if (!this.#underlay.concerns(event)) return;
    const isChosen = this.#underlay.isChosen(event);
    if (event.kind === 'link' && isChosen) {
      // Many drivers announce a link again and again although nothing has changed.
      if (event.state === this.#linkState) return;
      this.#linkState = event.state;
    }
    const cause = `${event.kind} of ${event.link} changed`;
    this.#host.trigger(cause);
    // host-gw's routes go with the link and its addresses, and the kernel does not say so for each.
    const mayTakeRoutes = event.kind === 'link' || (event.kind === 'address' && event.gone);
    if (isChosen && mayTakeRoutes) this.#reconciler.look(`underlay ${event.link} changed`);
  }

  #chooseUnderlay(cause: string): void {
    const { journal, network, clock } = this.#parts;
    const before = this.#underlay.current;
    const changed = this.#underlay.refresh(this.#needsOnLink ? peerAddresses(this.#leases?.peers) : []);
    const { current, problem: trouble } = this.#underlay;
    journal.problem('interface', trouble ?? interfaceProblems(network, current)[0]);
    if (trouble?.code === 'netlink-failed')
      clock.schedule(READ_AGAIN_MS, () => this.#host.trigger('trying again'));
    if (!changed || current === undefined) return;
    const isSame = before !== undefined && sameInterface(before, current);
    if (!isSame) journal.underlay(current, cause);
    // The interface is what it has become, whether the store can be told of it now or not.
    const own = this.#ownLease.current;
    if (own !== undefined) this.#replan(own, cause);
    if (!isSame) this.#requestLease(current);
  }

  /** Whether the node's pod network is whole, and why not. */
  readiness(): Readiness {
    return readinessOf({
      parts: this.#parts,
      underlay: this.#underlay,
      leaseProblem: this.#ownLease.problem,
      stateProblem: this.#claims.problem,
      reconciler: this.#reconciler,
      held: this.#totals.last?.held ?? 0,
    });
  }

  /** How it is, in a sentence. */
  sentence(): string {
    const { network } = this.#parts;
    const peers = this.#leases?.peers.size ?? 0;
    const lease = this.#ownLease.current?.lease;
    return stateSentence({ ...this.readiness(), peers, backend: network.backend.type, lease });
  }

  /** Has it show that it works: `onAlive` is called when it has. */
  prove(): void {
    if (this.#reconciler.prove()) return;
    // Nothing can be planned yet: to read the node's own network is all the work that there is.
    this.#parts.readHost(this.#parts.settings.interfaceChoice.canReach);
    this.#parts.onAlive();
  }

  /** Everything about the agent. */
  status(): AgentStatus {
    return statusDocument(this.#facts());
  }

  /** What is counted and timed. */
  measures(): AgentMeasures {
    return agentMeasures(this.#facts());
  }

  #facts(): AgentFacts {
    return {
      parts: this.#parts,
      startedMs: this.#startedMs,
      readyAfterMs: this.#readyAfterMs,
      readiness: this.readiness(),
      underlay: this.#underlay.current,
      own: this.#ownLease.current,
      ownSinceMs: this.#ownLease.sinceMs,
      reconciler: this.#reconciler,
      refused: this.#leases?.refused ?? [],
      totals: this.#totals,
    };
  }

  #leasesChanged({ set, changed }: LeaseChange): void {
    this.#parts.journal.leases(this.#leases, set, changed);
    this.#leases = set;
    if (this.#needsOnLink) this.#host.trigger('leases changed');
    this.#reconciler.setLeases(
      set,
      changed,
      changed === 'all' ? 'lease list' : `lease of ${[...changed].join(', ')}`,
    );
  }

  #requestLease(underlay: Underlay): void {
    const { settings, network, identity, previous } = this.#parts;
    const held = this.#ownLease.current?.lease;
    this.#ownLease.want(
      leaseRequest({ node: settings.nodeName, network, identity, underlay, held, previous }),
    );
  }

  #replan(own: OwnLease, cause: string): void {
    const { settings, network, journal } = this.#parts;
    const underlay = this.#underlay.current;
    if (underlay === undefined) return;
    const before = this.#planned;
    if (before && sameLease(before.lease, own.lease) && sameUnderlay(before.underlay, underlay)) return;
    this.#planned = { lease: own.lease, underlay };
    journal.ownLease(own);
    const { masqFullyRandom: fullyRandom, forwardRules: forward } = settings;
    const desired = plan({ ...settings, network, own: own.lease, underlay, fullyRandom, forward });
    const links = desired.node.flatMap((object) => (object.kind === 'link' ? [object.name] : []));
    const networks = this.#families.flatMap((family) => networkFamily(network, family)?.network ?? []);
    const claims = { links: new Set([...links, ...this.#formerLinks]), networks };
    this.#formerLinks = this.#formerLinks.filter((name) => !links.includes(name));
    this.#claims.keep(claims, desired.files);
    this.#reconciler.setDesired(desired, claims, cause);
    this.#parts.onIptables?.(desired.iptables);
  }

  /** Once a former device is gone, one of its name is not ours: another program may make it. */
  #forgetFormerLinks(pass: Pass): void {
    const own = this.#ownLease.current;
    const isClean = pass.full && pass.failed === 0 && this.#reconciler.converged;
    if (!isClean || this.#formerLinks.length === 0 || own === undefined) return;
    this.#formerLinks = [];
    this.#planned = undefined;
    this.#replan(own, 'former devices are gone');
  }

  #passed(pass: Pass, durationMs: number): void {
    const { clock, journal, onWork } = this.#parts;
    this.#totals.add(pass, { durationMs, nowMs: clock.nowMs() });
    journal.problem('kernel', firstFailure(this.#reconciler));
    const { waiting, inPlace } = fightProblems(this.#reconciler);
    journal.problem('fight', waiting[0] ?? inPlace[0]);
    journal.pass(pass, durationMs);
    onWork(pass.created + pass.updated + pass.removed);
    this.#forgetFormerLinks(pass);
    this.#noteReadiness();
  }

  /** What was missing may be the kernel's, which a pass ends, or the store's, which needs no pass. */
  #noteReadiness(): void {
    if (this.#readyAfterMs !== undefined || !this.readiness().ready) return;
    this.#parts.source.networkUp?.();
    this.#readyAfterMs = Math.round(this.#parts.uptimeMs());
    this.#parts.journal.ready(this.#readyAfterMs, this.#leases?.peers.size ?? 0);
  }
}
