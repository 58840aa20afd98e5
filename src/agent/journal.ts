/**
 * The agent's log: one line an event, nothing that repeats with every pass.
 *
 * @module
 */

import type { Logger } from '../log.ts';
import type { LogLimit } from '../log-limit.ts';
import type { PortsLook } from '../model/host-ports.ts';
import type { LeaseSet } from '../model/lease.ts';
import type { OwnLease } from '../model/lease-source.ts';
import type { Problem } from '../model/problem.ts';
import type { Underlay } from '../model/underlay.ts';
import type { Pass } from '../reconcile/pass.ts';

/** More changed peers than this are counted, not named. */
const NAMES_MAX = 5;

/** Where a problem is; it has one at a time. */
export type ProblemPlace =
  | 'lock'
  | 'node'
  | 'network'
  | 'interface'
  | 'lease'
  | 'store'
  | 'state'
  | 'kernel'
  | 'fight'
  | 'cni'
  | 'leftovers'
  | 'iptables'
  | 'events'
  | 'passage'
  | 'socket'
  | 'tcp';

/** What a journal needs. */
export interface JournalOptions {
  readonly log: Logger;
  readonly limit: LogLimit;
  /** Called when how the agent is may have changed. */
  readonly onNews: () => void;
}

/** Writes down what happens. */
export class AgentJournal {
  readonly #log: Logger;
  readonly #limit: LogLimit;
  readonly #onNews: () => void;
  readonly #problems = new Map<ProblemPlace, Problem>();
  #subnets: string | undefined;
  #failing = false;

  constructor({ log, limit, onNews }: JournalOptions) {
    this.#log = log;
    this.#limit = limit;
    this.#onNews = onNews;
  }

  /** What is wrong at present. */
  get problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  /** A problem came, changed, or is over. */
  problem(place: ProblemPlace, problem: Problem | undefined): void {
    const before = this.#problems.get(place)?.message;
    if (problem?.message === before) return;
    this.#problems.delete(place);
    // One cause may be felt in two places: it is told once, and over when it is over in both.
    const isElsewhere = (message: string) => this.problems.some((each) => each.message === message);
    if (problem !== undefined) {
      if (!isElsewhere(problem.message))
        this.#log.warn(problem.message, { code: problem.code, remedy: problem.remedy });
      this.#problems.set(place, problem);
    } else if (before !== undefined && !isElsewhere(before)) {
      this.#log.info('Problem is over', { where: place, was: before });
    }
    this.#onNews();
  }

  underlay({ name, mtuBytes, publicIpv4, publicIpv6, why }: Underlay, cause: string): void {
    const fields = { interface: name, why, mtu: mtuBytes, publicIp: publicIpv4, publicIpv6, cause };
    this.#log.info('Interface chosen', fields);
  }

  ownLease({ lease, expiresAtMs }: OwnLease): void {
    const subnets = `${lease.ipv4?.subnet ?? ''} ${lease.ipv6?.subnet ?? ''}`;
    if (subnets === this.#subnets) return;
    this.#subnets = subnets;
    const expires = expiresAtMs === undefined ? undefined : new Date(expiresAtMs).toISOString();
    this.#log.info('Lease held', { subnet: lease.ipv4?.subnet, subnetV6: lease.ipv6?.subnet, expires });
  }

  ownLeaseLost(reason: string): void {
    this.#log.warn('Own lease lost, leasing again', { reason });
  }

  /** Tells of peers that came, changed or went, and of leases that are newly refused. */
  leases(before: LeaseSet | undefined, set: LeaseSet, changed: ReadonlySet<string> | 'all'): void {
    if (changed === 'all' || changed.size > NAMES_MAX) {
      this.#log.info('Leases read', { peers: set.peers.size, refused: set.refused.length });
    } else {
      for (const node of changed) {
        const lease = set.peers.get(node);
        const fields = { node, subnet: lease?.ipv4?.subnet, subnetV6: lease?.ipv6?.subnet };
        this.#log.info(lease === undefined ? 'Peer gone' : 'Peer lease', fields);
      }
    }
    const known = new Set(before?.refused.map(({ node, reason }) => `${node} ${reason}`));
    const news = set.refused.filter(({ node, reason }) => !known.has(`${node} ${reason}`));
    for (const { node, reason } of news.slice(0, NAMES_MAX))
      this.#log.warn('Lease refused', { node, reason });
    if (news.length > NAMES_MAX) this.#log.warn('More leases refused', { count: news.length - NAMES_MAX });
  }

  /** The pods' hostPorts were put right, or could not be. */
  hostPorts(outcome: Exclude<PortsLook, string>): void {
    if ('was' in outcome) {
      const fields = { object: `hostPorts: ${outcome.was}`, cause: 'something else had changed them' };
      this.#limit.for('repair hostPorts').info('Repaired', fields);
    } else this.#limit.for('hostPorts').warn('Object failed', { error: outcome.failed, cause: 'hostPorts' });
  }

  /** Rules in iptables were put right. */
  iptables(was: string): void {
    const object = `iptables: ${was}`;
    this.#limit.for(`repair ${object}`).info('Repaired', { object, cause: 'something else had changed it' });
  }

  /** Tells what a pass has done; one that has done nothing is not worth a line. */
  pass(pass: Pass, durationMs: number): void {
    const { cause, created, updated, removed, failed, held, repairLines, failures } = pass;
    const ms = Math.round(durationMs * 10) / 10;
    for (const repaired of repairLines)
      this.#limit.for(`repair ${repaired}`).info('Repaired', { object: repaired, cause });
    const unsaid = pass.repairs.total - repairLines.length;
    if (unsaid > 0) this.#limit.for('repaired more').info('Repaired more', { count: unsaid, cause });
    const told = new Set(this.problems.map(({ message }) => message));
    for (const { message } of failures)
      if (!told.has(message))
        this.#limit.for(`failure ${reasonOf(message)}`).warn('Object failed', { error: message, cause });
    if (created + updated + removed + failed + held > 0) {
      const fields = { cause, ms, created, updated, removed, failed, held };
      this.#limit
        .for(failed > 0 ? 'pass failing' : `pass ${this.#failing}`)
        .info('Kernel brought in line', fields);
    } else {
      this.#log.debug('Kernel is in line', { cause, ms });
    }
    this.#failing = failed > 0;
    this.#onNews();
  }

  ready(afterMs: number, peers: number): void {
    this.#log.info('Ready', { afterMs, peers });
  }
}

/** What the kernel said: one cause has a thousand objects fail, and each would be a line. */
function reasonOf(message: string): string {
  return message.slice(message.lastIndexOf(': ') + 1);
}
