/**
 * The store that has the node's lease, as far as the command line names one.
 *
 * @module
 */
import { systemClock } from '../clock.ts';
import type { CleanupSettings } from '../config/cleanup-settings.ts';
import type { Prefix } from '../model/ip.ts';
import type { Lease } from '../model/lease.ts';
import type { Problem } from '../model/problem.ts';
import type { Result } from '../model/result.ts';
import type { NodeMarks } from '../store/etcd/release.ts';
import { mayHaveLeases, releaseLease, surveyLeases } from '../store/sqlite/release.ts';

/** What is known of all leases. */
export interface StoreSurvey {
  readonly own:
    | {
        readonly subnets: readonly Prefix[];
        /** `undefined` if its attributes make no sense. */
        readonly lease: Lease | undefined;
        /** Where a lease says who has written it. */
        readonly pid?: number;
        readonly bootId?: string;
        readonly reserved?: boolean;
      }
    | undefined;
  readonly peers: readonly Lease[];
  readonly others: number;
}

/** A store at hand. */
export interface NamedStore {
  readonly kind: 'file' | 'etcd' | 'kubernetes';
  /** The file's path, or such as `etcd http://10.0.0.1:2379`. */
  readonly place: string;
  /** Reads all leases, and changes nothing; `undefined` if there is nothing to read. */
  survey(marks: NodeMarks): Promise<Result<StoreSurvey, Problem> | undefined>;
  /** Gives the node's lease back. */
  release(node: string): Promise<Result<unknown, Problem>>;
}

const WAITING = { clock: systemClock, random: Math.random };

/** See the module. Only the code of the store that is named is loaded. */
export async function namedStore({
  leaseDb,
  etcd,
  kube,
  nodeName,
}: CleanupSettings): Promise<NamedStore | undefined> {
  if (leaseDb !== undefined) {
    return {
      kind: 'file',
      place: leaseDb,
      survey: async () => (mayHaveLeases(leaseDb) ? surveyLeases(leaseDb, nodeName, WAITING) : undefined),
      release: (node) => releaseLease(leaseDb, node, WAITING),
    };
  }
  if (kube !== undefined) {
    const { KubeLeases } = await import('../store/kube/release.ts');
    const leases = new KubeLeases(kube, { node: nodeName, clock: systemClock });
    return {
      kind: 'kubernetes',
      place: `the annotations of Node ${nodeName}`,
      survey: () => leases.survey(),
      release: () => leases.release(),
    };
  }
  if (etcd === undefined) return undefined;
  const { EtcdLeases } = await import('../store/etcd/release.ts');
  const leases = new EtcdLeases(etcd, systemClock);
  return {
    kind: 'etcd',
    place: `etcd ${etcd.endpoints.join(',')}`,
    survey: (marks) => leases.survey(marks),
    release: () => leases.release(),
  };
}
