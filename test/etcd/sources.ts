/**
 * Lease sources on a real etcd.
 *
 * @module
 */
import { systemClock } from '../../src/clock.ts';
import type { Clock } from '../../src/model/clock.ts';
import type { LeaseRequest, LeaseSource, OwnLease } from '../../src/model/lease-source.ts';
import type { LeaseStore } from '../../src/model/lease-store.ts';
import type { StoreOperation } from '../../src/model/measures.ts';
import type { NetworkConfig } from '../../src/model/network.ts';
import type { EtcdStoreSettings, Settings } from '../../src/model/settings.ts';
import { openEtcdStore } from '../../src/store/etcd/open.ts';
import { Ear, granted, until } from '../store/sources.ts';
import { network, request } from '../unit/store/samples.ts';

/** Where the tests' keys are. */
export const PREFIX = '/coreos.com/network';

/** IPv4 alone, the rule. */
export const IPV4 = network({ ipv6: undefined });

/** Settings of which the store reads only this. */
const SETTINGS: Settings = {
  nodeName: 'n',
  netConfigPath: '',
  subnetFile: '',
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
  },
  ipMasq: false,
  masqFullyRandom: true,
  forwardRules: true,
  iptables: false,
  fixForward: false,
  blackhole: false,
  renewMarginMinutes: 60,
  healthzIp: '',
  healthzPort: 0,
  logFormat: 'logfmt',
  verbosity: 0,
};

/** Settings of a store at these endpoints, with what is to differ. */
export function etcdSettings(
  endpoints: readonly string[],
  different: Partial<EtcdStoreSettings> = {},
): EtcdStoreSettings {
  return {
    kind: 'etcd',
    endpoints,
    prefix: PREFIX,
    keyFile: undefined,
    certFile: undefined,
    caFile: undefined,
    username: undefined,
    password: undefined,
    ...different,
  };
}

/** What differs from one source of a test to the other. */
export interface OpenOptions {
  readonly network?: NetworkConfig;
  readonly clock?: Clock;
  readonly settings?: Partial<EtcdStoreSettings>;
}

/** The sources that a test has opened at one etcd. */
export class EtcdLab implements Disposable {
  readonly endpoints: readonly string[];
  readonly log: string[] = [];
  readonly uses: [StoreOperation, boolean][] = [];
  readonly #sources: LeaseSource[] = [];

  constructor(...endpoints: readonly string[]) {
    this.endpoints = endpoints;
  }

  /** The store, opened. */
  store({ clock = systemClock, settings = {} }: OpenOptions = {}): LeaseStore {
    return openEtcdStore(etcdSettings(this.endpoints, settings), {
      settings: SETTINGS,
      clock,
      random: Math.random,
      log: (text) => this.log.push(text),
      onUse: (operation, _, isOk) => this.uses.push([operation, isOk]),
      onBulk: () => {},
      collect: () => {},
    });
  }

  /** A source, not yet used. */
  open(options: OpenOptions = {}): LeaseSource {
    const source = this.store(options).source({ node: 'n', network: options.network ?? IPV4 });
    this.#sources.push(source);
    return source;
  }

  /** Begins to listen to a source. */
  listen(source: LeaseSource): Ear {
    const ear = new Ear();
    source.watch(ear);
    return ear;
  }

  /** A source that listens, and whose list is complete. */
  async listening(options: OpenOptions = {}): Promise<{ source: LeaseSource; ear: Ear }> {
    const source = this.open(options);
    const ear = this.listen(source);
    await until('the first list', () => ear.changes.length > 0);
    return { source, ear };
  }

  [Symbol.dispose](): void {
    for (const source of this.#sources) source.close();
  }
}

/** What node `n` of an IPv4 network asks for. */
export function ask(n: number, different: Partial<LeaseRequest> = {}): LeaseRequest {
  return request(`node-${n}`, n, { ipv6: undefined, ...different });
}

/** Node `n` with its lease taken. */
export async function acquired(source: LeaseSource, n: number): Promise<OwnLease> {
  return granted(await source.acquire(ask(n)));
}

/** The name of the key that a lease is kept at. */
export function keyName({ lease: { ipv4, ipv6 } }: OwnLease): string {
  const dashed = [ipv4, ipv6].flatMap((half) => (half === undefined ? [] : [half.subnet.replace('/', '-')]));
  return dashed.join('&');
}
