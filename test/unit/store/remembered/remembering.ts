/**
 * The source that remembers, over a store that answers as a test tells it to, and a state directory of its own.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lease } from '../../../../src/model/lease.ts';
import type {
  LeaseListener,
  LeaseRequest,
  LeaseSource,
  LeaseSourceStatus,
  OwnLease,
} from '../../../../src/model/lease-source.ts';
import { type Problem, problem } from '../../../../src/model/problem.ts';
import { fail, ok, type Result } from '../../../../src/model/result.ts';
import { judgeLease } from '../../../../src/store/accept.ts';
import { LeaseFile } from '../../../../src/store/remembered/lease-file.ts';
import { RememberingSource } from '../../../../src/store/remembered/source.ts';
import { FakeClock, settled } from '../../../sim/fake-clock.ts';
import { ip, network, rawLease, sure } from '../samples.ts';

/** Why the store says nothing. */
export const AWAY = problem('store-unavailable', 'The store is away', 'Wait');

/** The lease of node `n`, with what is to differ. */
export function lease(n: number, different: Partial<Lease> = {}): Lease {
  return { ...sure(judgeLease(rawLease(n), network()).lease, `${n}`), ...different };
}

/** A store that says nothing by itself. */
export class Inner implements LeaseSource {
  /** Every request for the own lease. */
  readonly asked: LeaseRequest[] = [];
  answers: ((own: Result<OwnLease, Problem>) => void)[] = [];
  problem: Problem | undefined;
  heardAtMs: number | undefined;
  listener: LeaseListener | undefined;
  calls: string[] = [];

  own(): Promise<Result<Lease | undefined, Problem>> {
    this.calls.push('own');
    return Promise.resolve(fail(AWAY));
  }
  acquire(asked: LeaseRequest): Promise<Result<OwnLease, Problem>> {
    this.asked.push(asked);
    return new Promise((resolve) => this.answers.push(resolve));
  }
  watch(listener: LeaseListener): void {
    this.listener = listener;
  }
  refresh(): void {
    this.calls.push('refresh');
  }
  networkUp(): void {
    this.calls.push('networkUp');
  }
  status(): LeaseSourceStatus {
    return { name: 'inner', problem: this.problem, heardAtMs: this.heardAtMs };
  }
  ownExpiryMs(): number {
    return 77;
  }
  close(): void {
    this.calls.push('close');
  }
  /** Answers the oldest request that is open. */
  async answer(own: Lease | Problem): Promise<void> {
    const give = sure(this.answers.shift(), 'request');
    give('code' in own ? fail(own) : ok({ lease: own, expiresAtMs: undefined }));
    await settled();
  }
  /** Tells of these peers. */
  list(synced: boolean, ...peers: readonly Lease[]): void {
    const set = { peers: byNode(peers), refused: [], synced };
    this.listener?.onLeases({ set, changed: new Set(peers.map(({ node }) => node)) });
  }
}

/** When what is remembered at first was saved. */
export const SAVED_MS = Date.UTC(2025, 11, 31);

/** Node 1, one run after the other. */
export class Remembering {
  readonly clock = new FakeClock();
  /** The state directory. */
  readonly directory = mkdtempSync(join(tmpdir(), 'flannelette-remembered-'));
  readonly path = join(this.directory, 'leases.tsv');
  saves = 0;

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Leaves a file behind as an earlier run does. */
  remember(own: Lease | undefined, ...peers: readonly Lease[]): void {
    const memory = { own, peers: byNode(peers), addresses: { ipv4: ip('203.0.113.1'), ipv6: undefined } };
    const trouble = this.#file().save(memory, { atMs: SAVED_MS, isTimeNews: false });
    if (trouble !== undefined) throw new Error(trouble.message);
  }

  /** What the file says now. */
  saved(): { own: Lease | undefined; peers: string[]; savedAtMs: number } {
    const { own, peers, savedAtMs } = sure(this.#file().load().remembered, this.path);
    const judged = own && judgeLease(own, network()).lease;
    return { own: judged, peers: peers.map(({ node }) => node), savedAtMs };
  }

  /** The source, and everything that it tells once it is watched. */
  open() {
    const inner = new Inner();
    const told: string[] = [];
    const log: string[] = [];
    const source = new RememberingSource({
      inner,
      file: this.#file(),
      node: 'node-1',
      network: network(),
      clock: this.clock,
      random: () => 0.5,
      log: (line) => log.push(line),
      onSaved: () => this.saves++,
    });
    return { inner, source, told, log, watch: () => source.watch(listenerOf(told)) };
  }

  #file(): LeaseFile {
    return new LeaseFile({ directory: this.directory, node: 'node-1', store: 'kube' });
  }
}

function listenerOf(told: string[]): LeaseListener {
  return {
    onLeases: ({ set, changed }) => {
      const what = changed === 'all' ? 'all' : [...changed].join(' ');
      told.push(`leases ${[...set.peers.keys()].join(' ')}, ${set.synced ? 'synced' : 'stale'}, ${what}`);
    },
    onOwnLeaseLost: (reason) => told.push(`lost: ${reason}`),
    onPublicAddresses: ({ ipv4, ipv6 }) => told.push(`addresses ${ipv4} ${ipv6}`),
    onStatus: (status) => told.push(`status ${status.problem?.message ?? 'ok'}`),
  };
}

function byNode(leases: readonly Lease[]): ReadonlyMap<string, Lease> {
  return new Map(leases.map((each) => [each.node, each]));
}
