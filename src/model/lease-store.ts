/**
 * A lease store as it is opened: what can be asked of it before the network's configuration is known, and the source
 * of leases that it gives then.
 *
 * @module
 */
import type { Clock } from './clock.ts';
import type { LeaseSource } from './lease-source.ts';
import type { StoreObserver } from './measures.ts';
import type { NetworkConfig } from './network.ts';
import type { Problem } from './problem.ts';
import type { Result } from './result.ts';
import type { Settings } from './settings.ts';

/** What a store is opened with. */
export interface StoreTools {
  readonly settings: Settings;
  readonly clock: Clock;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
  /** Takes a line for the log, which ends up as an event of the lease store. */
  readonly log: (text: string) => void;
  /** Told of every use of the store when it is over. */
  readonly onUse: StoreObserver;
  /** Much was done at once that has left garbage behind. */
  readonly onBulk: () => void;
  /** Collects garbage, now: for whoever makes much of it in a row. */
  readonly collect: () => void;
}

/** For whom leases are read. */
export interface SourceParts {
  readonly node: string;
  readonly network: NetworkConfig;
}

/** See the module. */
export interface LeaseStore {
  /** Such as `etcd http://10.0.0.1:2379`. */
  readonly name: string;
  /** The text of the network's configuration, if it is kept with the leases and not in net-conf.json. */
  readonly readNetwork: (() => Promise<Result<string, Problem>>) | undefined;
  /** The node's name, if the settings do not say it. */
  readonly readNodeName: (() => Promise<Result<string, Problem>>) | undefined;
  source(parts: SourceParts): LeaseSource;
}
