/**
 * The kernel of this network namespace: sockets, sessions, and the events that they bring, put together.
 *
 * @module
 */
import { attachFilter, type NetlinkSocket, openNetlink } from '../ffi/socket.ts';
import { type Watch, watchNetlink } from '../ffi/watch.ts';
import { type EventSink, readEvents } from './kernel/events.ts';
import { readForwarding } from './kernel/forwarding.ts';
import { deleteLink } from './kernel/links.ts';
import { LinuxKernel } from './kernel/linux.ts';
import { mayHaveNfTables } from './kernel/nf-tables-module.ts';
import { passageProblems } from './kernel/passage-problems.ts';
import { readHost } from './kernel/underlay.ts';
import type { Clock, Timer } from './model/clock.ts';
import type { Ip } from './model/ip.ts';
import type { KernelMeasures } from './model/measures.ts';
import type { SysctlObject } from './model/objects.ts';
import { type Problem, problem } from './model/problem.ts';
import { fail, ok, type Result } from './model/result.ts';
import type { ForwardingStatus } from './model/status.ts';
import { NetfilterAccess, type RuleListener } from './netfilter-access.ts';
import { ERRNO, errnoName } from './netlink/error.ts';
import { eventFilter } from './netlink/event-filter.ts';
import { NETLINK_GENERIC } from './netlink/generic.ts';
import { NETCONF_GROUPS } from './netlink/netconf.ts';
import { NETLINK_ROUTE, RTMGRP } from './netlink/route.ts';
import { Session } from './netlink/session.ts';
import type { Claims } from './reconcile/target.ts';
import type { HostSnapshot } from './underlay/snapshot.ts';

/** A slash is in no name of a device (`dev_valid_name`). */
const IMPOSSIBLE_NAME = 'no/device';

/** What is below `net` and `sys/net` is that of the network namespace of whoever opens it. */
const PROC = '/proc';

const GROUPS =
  RTMGRP.LINK |
  RTMGRP.NEIGH |
  RTMGRP.IPV4_IFADDR |
  RTMGRP.IPV4_ROUTE |
  RTMGRP.IPV6_IFADDR |
  RTMGRP.IPV6_ROUTE |
  NETCONF_GROUPS;
/** Room for the echo of 10,000 forwarding entries, which no filter can tell; only what is unread takes it. */
const EVENT_BUFFER_BYTES = 4 * 1024 * 1024;
/** After lost events, the storm that caused them is given this long to pass. */
const REOPEN_MS = 50;
/** How long after the last large batch its echo is over. */
const HUSH_MS = 5;

/** Who hears of what the kernel announces. */
export interface KernelListener extends EventSink, RuleListener {
  /** Events cannot be heard at present, or can be again. */
  readonly onProblem: (problem: Problem | undefined) => void;
}

/** One namespace's kernel, open for requests and under watch. */
export class KernelAccess {
  readonly target: LinuxKernel;
  readonly #routeSocket: NetlinkSocket;
  readonly #genericSocket: NetlinkSocket;
  readonly #route: Session;
  readonly #generic: Session;
  readonly #netfilter: NetfilterAccess;
  readonly #clock: Clock;
  #claims: Claims = { links: new Set(), networks: [] };
  #watch: { readonly socket: NetlinkSocket; readonly watch: Watch } | undefined;
  #filtered = '';
  /** Why events were missed, until everything was looked at. */
  #deafBecause: string | undefined;
  #hush: Timer | undefined;
  #eventLosses = 0;
  #closed = false;

  private constructor(route: NetlinkSocket, generic: NetlinkSocket, clock: Clock) {
    this.#routeSocket = route;
    this.#genericSocket = generic;
    this.#clock = clock;
    this.#route = new Session(route);
    this.#generic = new Session(generic);
    this.#netfilter = new NetfilterAccess(clock);
    this.target = new LinuxKernel({
      route: this.#route,
      generic: this.#generic,
      rules: {
        session: () => this.#netfilter.session(),
        onWanted: () => this.#netfilter.want(),
        passage: this.#netfilter.passage,
      },
      sysctlRoot: `${PROC}/sys`,
      onLinks: () => this.#refilter(),
      onBulk: () => this.#hushEcho(),
    });
  }

  /** Opens the sockets for requests. */
  static open(clock: Clock): Result<KernelAccess, Problem> {
    const route = openNetlink({ protocol: NETLINK_ROUTE });
    if (typeof route === 'number') return fail(openProblem(route));
    const generic = openNetlink({ protocol: NETLINK_GENERIC });
    if (typeof generic !== 'number') return ok(new KernelAccess(route, generic, clock));
    route.close();
    return fail(openProblem(generic));
  }

  /** Reads what the underlay is chosen from. */
  readHost(canReach: Ip | undefined): Result<HostSnapshot, Problem> {
    const host = readHost(this.#route, canReach);
    if (!host.ok) return host;
    // Before the first look at the kernel this is all that tells which link an address event is about.
    // One of ours that has another name now is left to its event, or nothing would be told of it.
    const isClaimed = (name: string | undefined) => name !== undefined && this.#claims.links.has(name);
    for (const link of host.value.links)
      if (!isClaimed(link.name) && !isClaimed(this.target.links.nameOf(link.index)))
        this.target.links.set(link);
    return host;
  }

  /** Whether the node passes packets on; `settings` are those that decide it. */
  forwarding(settings: readonly SysctlObject[]): ForwardingStatus {
    const session = mayHaveNfTables() ? this.#netfilter.session() : undefined;
    return readForwarding(settings, { proc: PROC, session });
  }

  /** Has changes of traffic rules told also where none are kept by the target. */
  hearRules(): void {
    this.#netfilter.want();
  }

  /** Chains of other programs that may drop what pods send, as they were looked at last. */
  passageProblems(): readonly Problem[] {
    return passageProblems(this.#netfilter.passage.chains);
  }

  /**
   * Whether the kernel lets this process change its network. Every request but a read is refused for want of
   * CAP_NET_ADMIN before it is looked at (`rtnetlink_rcv_msg`), and there is no device of this name.
   */
  mayChange(): boolean {
    return this.#route.execute(deleteLink(IMPOSSIBLE_NAME))?.errno !== ERRNO.EPERM;
  }

  /** Says what is ours: events are told apart by it. */
  setClaims(claims: Claims): void {
    this.#claims = claims;
    this.#refilter();
  }

  /** Begins to listen, and begins again whenever events are lost. */
  listen(listener: KernelListener): void {
    if (this.#closed) return;
    const socket = openNetlink({
      protocol: NETLINK_ROUTE,
      groups: GROUPS,
      receiveBufferBytes: EVENT_BUFFER_BYTES,
    });
    if (typeof socket === 'number') {
      listener.onProblem(openProblem(socket));
      this.#deafBecause ??= 'events could not be heard';
      this.#clock.schedule(1_000, () => this.listen(listener));
      return;
    }
    this.#filtered = '';
    const watch = watchNetlink(socket, {
      onDatagrams: (bytes) => readEvents(bytes, { links: this.target.links, claims: this.#claims }, listener),
      onLost: (reason) => {
        this.#watch = undefined;
        this.#eventLosses++;
        this.#deafBecause = `events were lost (${reason})`;
        this.#clock.schedule(REOPEN_MS, () => this.listen(listener));
      },
    });
    this.#watch = { socket, watch };
    this.#refilter();
    listener.onProblem(undefined);
    // What happened while nobody listened is not known.
    if (this.#deafBecause !== undefined) listener.look(this.#deafBecause);
    this.#deafBecause = undefined;
    this.#netfilter.listen(listener);
  }

  /** What was asked of the kernel so far, and what it refused. */
  measures(): KernelMeasures {
    const errors = new Map<string, number>();
    let requests = 0;
    for (const session of [this.#route, this.#generic, this.#netfilter.opened]) {
      if (session === undefined) continue;
      const { counters } = session;
      requests += counters.requests;
      for (const [errno, count] of counters.errorsByErrno) {
        const name = errnoName(errno);
        errors.set(name, (errors.get(name) ?? 0) + count);
      }
    }
    return { requests, errors, eventLosses: this.#eventLosses + this.#netfilter.eventLosses };
  }

  close(): void {
    this.#closed = true;
    this.#hush?.cancel();
    this.#watch?.watch.close();
    this.#watch = undefined;
    this.#routeSocket.close();
    this.#genericSocket.close();
    this.#netfilter.close();
  }

  /**
   * The kernel announces our own forwarding entries in nobody's name, so no filter can tell them from others'.
   * While thousands are made, only removals are heard; the audit finds what was changed in that moment.
   */
  #hushEcho(): void {
    this.#hush?.cancel();
    this.#hush = this.#clock.schedule(HUSH_MS, () => {
      this.#hush = undefined;
      this.#refilter();
    });
    this.#refilter();
  }

  /** Our own echo, and other links' neighbours, are refused before they take room in the buffer. */
  #refilter(): void {
    const links: number[] = [];
    for (const name of this.#claims.links) {
      const link = this.target.links.byName(name);
      if (link !== undefined) links.push(link.index);
    }
    const forwarding = this.#hush === undefined ? 'all' : 'removals';
    const wanted = `${forwarding} ${links.join(' ')}`;
    if (this.#watch === undefined || wanted === this.#filtered) return;
    this.#filtered = wanted;
    const ownPortIds = [this.#routeSocket.portId];
    attachFilter(this.#watch.socket.fd, eventFilter({ ownPortIds, links, forwarding }));
  }
}

function openProblem(error: number): Problem {
  const name = errnoName(-error);
  const message = `Cannot open a netlink socket: ${name}`;
  switch (name) {
    case 'EAFNOSUPPORT':
    case 'EACCES':
    case 'EPERM':
      return problem(
        'netlink-failed',
        message,
        'Allow netlink sockets (systemd: AF_NETLINK in RestrictAddressFamilies=)',
      );
    default:
      return problem('netlink-failed', message);
  }
}
