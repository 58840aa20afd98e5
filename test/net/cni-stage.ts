/**
 * A node with our plugins, and pods: what the tests of the CNI plugin stand on. Each test has its own.
 *
 * @module
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import {
  callPlugin,
  installPlugins,
  type PluginCall,
  type PluginFolder,
  type PluginOutcome,
} from './cni-plugin.ts';
import { run, type WitnessRecord, witnessRecords } from './witness.ts';

/** As the agent writes it for a node with both families. */
export const SUBNET_ENV = `FLANNEL_NETWORK=10.42.0.0/16
FLANNEL_SUBNET=10.42.1.1/24
FLANNEL_IPV6_NETWORK=fd00:42::/48
FLANNEL_IPV6_SUBNET=fd00:42:1::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;
/** As K3s' conflist has it. */
export const DELEGATE = { hairpinMode: true, forceAddress: true, isDefaultGateway: true };

/** What a call differs in from the usual one. */
export interface Call {
  readonly id?: string;
  readonly as?: string;
  readonly conf?: object | undefined;
  readonly variables?: PluginCall['variables'];
  readonly stdin?: PluginCall['stdin'];
  readonly wrapper?: PluginCall['wrapper'];
}

/** One test's node. */
export class CniStage implements Disposable {
  readonly node = createNetns();
  readonly #folder: PluginFolder = installPlugins(['flannel', 'flannelette']);
  readonly #pods: Netns[] = [];

  constructor() {
    this.writeSubnets(SUBNET_ENV);
  }

  /** Where plugins, state and books of this test are. */
  get path(): string {
    return this.#folder.path;
  }

  /** Where addresses are written down. */
  get books(): string {
    return join(this.path, 'books');
  }

  /** Writes subnet.env. */
  writeSubnets(text: string): void {
    writeFileSync(join(this.path, 'subnet.env'), text);
  }

  /** An empty namespace that lives as long as the test. */
  newPod(): Netns {
    const pod = createNetns();
    this.#pods.push(pod);
    return pod;
  }

  /** A configuration of the plugin `flannel` that touches nothing of this machine. */
  config(delegate: object = DELEGATE, rest: object = {}): object {
    return {
      cniVersion: '1.0.0',
      name: 'cbr0',
      type: 'flannel',
      subnetFile: join(this.path, 'subnet.env'),
      dataDir: join(this.path, 'state'),
      ipam: { dataDir: this.books },
      delegate,
      ...rest,
    };
  }

  /** Calls a plugin on the node. */
  call(verb: string, netns: string, differing: Call = {}): PluginOutcome {
    const { id = 'pod-1', as = 'flannel', conf, variables, stdin, wrapper } = differing;
    return inNetns(this.node, () =>
      callPlugin({
        program: join(this.path, as),
        verb,
        netns,
        config: conf ?? this.config(),
        variables: { CNI_CONTAINERID: id, ...variables },
        ...(stdin === undefined ? {} : { stdin }),
        ...(wrapper === undefined ? {} : { wrapper }),
      }),
    );
  }

  /** The addresses that are written down as given. */
  given(network = 'cbr0'): string[] {
    const path = join(this.books, network);
    const names = existsSync(path) ? readdirSync(path) : [];
    return names.filter((name) => /[.:]\d+$/.test(name) && !name.startsWith('last')).sort();
  }

  /** What state is kept of pods. */
  state(): string[] {
    const path = join(this.path, 'state');
    return existsSync(path) ? readdirSync(path) : [];
  }

  /** The links of a kind. */
  links(netns: Netns, kind: string): WitnessRecord[] {
    return witnessRecords(run(netns, ['ip', '-j', 'link', 'show', 'type', kind]));
  }

  /** Takes everything away. */
  [Symbol.dispose](): void {
    for (const pod of this.#pods) pod.close();
    this.node.close();
    this.#folder[Symbol.dispose]();
  }
}
