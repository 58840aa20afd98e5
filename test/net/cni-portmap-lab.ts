/**
 * A node with hostPorts: plugins chained as a runtime does it, servers in pods, and clients anywhere.
 *
 * @module
 */
import { expect } from 'bun:test';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { createNetns, inNetns, type Netns } from '../../ffi/netns.ts';
import { eventually } from './agent-support.ts';
import {
  callPlugin,
  installPlugins,
  type PluginFolder,
  type PluginOutcome,
  pathOf,
  REFERENCE,
} from './cni-plugin.ts';
import { run, witnessValue } from './witness.ts';

const SUBNET_ENV = `FLANNEL_NETWORK=10.42.0.0/16
FLANNEL_SUBNET=10.42.1.1/24
FLANNEL_IPV6_NETWORK=fd00:42::/48
FLANNEL_IPV6_SUBNET=fd00:42:1::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;
const DELEGATE = { hairpinMode: true, forceAddress: true, isDefaultGateway: true };
/** The name of our tables. */
export const TABLE = 'flannelette-hostports';
/** Mappings of each kind. */
export const WEB = { hostPort: 8080, containerPort: 80, protocol: 'tcp' };
export const DNS = { hostPort: 5353, containerPort: 53, protocol: 'udp' };
/** As containerd writes it. */
export const ONE_ADDRESS = { HostPort: 9090, ContainerPort: 80, Protocol: 'TCP', HostIP: '192.0.2.9' };
const ONLY_LOCAL = { hostPort: 9091, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' };
/** All of them. */
export const MAPPINGS = [WEB, DNS, ONE_ADDRESS, ONLY_LOCAL];

/** Where iptables is, which the reference runs. */
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const END = join(import.meta.dir, 'port-end.ts');

/** A pod, and what its hostPorts are to be. */
export interface Chain {
  readonly node: Netns;
  readonly pod: Netns;
  /** The path of the pod's namespace, if it is not to be this process's. */
  readonly netns?: string;
  readonly id: string;
  readonly mappings?: readonly object[];
  /** More members of portmap's configuration. */
  readonly more?: object;
  readonly reference?: boolean;
  /** CNI_PATH, if it is not to be where the reference's plugins are. */
  readonly searchPath?: string;
}

/** What clients were answered, by what they asked. */
export type Answers = Readonly<Record<string, string | null>>;

/** One node at a time, in namespaces that end with it. */
export class PortLab implements Disposable {
  readonly folder: PluginFolder = installPlugins(['flannel', 'portmap']);
  readonly #spaces: Netns[] = [];
  readonly #processes: Bun.Subprocess[] = [];
  readonly #isMasqueraded: boolean;

  /** `agentMasquerades`: whether the agent does it, so that the plugin has not to. */
  constructor(agentMasquerades = true) {
    this.#isMasqueraded = !agentMasquerades;
    const text = SUBNET_ENV.replace('IPMASQ=true', `IPMASQ=${agentMasquerades}`);
    writeFileSync(join(this.folder.path, 'subnet.env'), text);
  }

  [Symbol.dispose](): void {
    for (const process of this.#processes) process.kill('SIGKILL');
    for (const space of this.#spaces) space.close();
    this.folder[Symbol.dispose]();
  }

  newSpace(): Netns {
    const space = createNetns();
    this.#spaces.push(space);
    run(space, ['ip', 'link', 'set', 'lo', 'up']);
    return space;
  }

  /** A node with two addresses, and a host beyond it. */
  newNode(): { node: Netns; outside: Netns } {
    const [node, outside] = [this.newSpace(), this.newSpace()];
    const veth = ['ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0'];
    run(node, [...veth, 'netns', pathOf(outside)]);
    const give = (space: Netns, addresses: readonly string[]) => {
      for (const address of addresses) run(space, ['ip', 'address', 'add', address, 'dev', 'eth0']);
      run(space, ['ip', 'link', 'set', 'eth0', 'up']);
    };
    give(node, ['192.0.2.1/24', '192.0.2.9/24', '2001:db8::1/64']);
    give(outside, ['192.0.2.2/24', '2001:db8::2/64']);
    return { node, outside };
  }

  /** A process in a namespace that ends with the lab. */
  spawn(space: Netns, command: readonly string[]) {
    const process = inNetns(space, () =>
      Bun.spawn([...command], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' }),
    );
    this.#processes.push(process);
    return process;
  }

  config(type: string, rest: object = {}): object {
    return {
      cniVersion: '1.0.0',
      name: 'cbr0',
      type,
      subnetFile: join(this.folder.path, 'subnet.env'),
      dataDir: join(this.folder.path, 'state'),
      hostPortDir: join(this.folder.path, 'hostports'),
      ipam: { dataDir: join(this.folder.path, 'books') },
      delegate: DELEGATE,
      ...rest,
    };
  }

  /** What the reference's bridge is given in flannel's place. */
  #bridgeConfig(): object {
    const ranges = [[{ subnet: '10.42.1.0/24' }], [{ subnet: 'fd00:42:1::/64' }]];
    const routes = [{ dst: '10.42.0.0/16' }, { dst: 'fd00:42::/48' }];
    const ipam = { type: 'host-local', dataDir: join(this.folder.path, 'reference'), ranges, routes };
    return {
      ...this.config('bridge'),
      ...DELEGATE,
      mtu: 1450,
      isGateway: true,
      ipMasq: this.#isMasqueraded,
      ipam,
    };
  }

  call(verb: string, chain: Chain, { program, conf }: { program: string; conf: object }): PluginOutcome {
    const { node, pod, netns = pathOf(pod), id, searchPath = REFERENCE } = chain;
    const variables = { CNI_CONTAINERID: id, CNI_PATH: searchPath, PATH };
    return inNetns(node, () => callPlugin({ program, verb, netns, config: conf, variables }));
  }

  portmapConfig({ mappings = [], more = {} }: Chain, prevResult?: unknown): object {
    return this.config('portmap', {
      capabilities: { portMappings: true },
      runtimeConfig: { portMappings: mappings },
      ...(prevResult === undefined ? {} : { prevResult }),
      ...more,
    });
  }

  flannel(verb: string, chain: Chain, rest: object = {}): PluginOutcome {
    const conf = this.config('flannel', rest);
    return this.call(verb, chain, { program: join(this.folder.path, 'flannel'), conf });
  }

  portmap(verb: string, chain: Chain, prevResult?: unknown): PluginOutcome {
    const folder = chain.reference === true ? REFERENCE : this.folder.path;
    const conf = this.portmapConfig(chain, prevResult);
    return this.call(verb, chain, { program: join(folder, 'portmap'), conf });
  }

  /** The same as a process of its own, which is waited for by the caller. */
  start(verb: string, { node, pod, id, ...chain }: Chain, prevResult: unknown) {
    const conf = this.portmapConfig({ node, pod, id, ...chain }, prevResult);
    const env = { CNI_COMMAND: verb, CNI_CONTAINERID: id, CNI_NETNS: pathOf(pod), CNI_IFNAME: 'eth0' };
    return inNetns(node, () =>
      Bun.spawn([join(this.folder.path, 'portmap')], {
        stdin: Buffer.from(JSON.stringify(conf)),
        stdout: 'ignore',
        env: { ...env, CNI_PATH: REFERENCE },
      }),
    );
  }

  /** The first plugin of a list, then `portmap`. */
  add(chain: Chain): PluginOutcome {
    const bridge = { program: join(REFERENCE, 'bridge'), conf: this.#bridgeConfig() };
    const made = chain.reference === true ? this.call('ADD', chain, bridge) : this.flannel('ADD', chain);
    expect(made.status).toBe(0);
    const mapped = this.portmap('ADD', chain, made.told);
    if (mapped.status === 0) expect(mapped.told).toEqual(made.told);
    return mapped;
  }

  /** Serves ports in a namespace, by TCP and UDP. */
  async serve(space: Netns, ports: readonly number[]): Promise<void> {
    const server = this.spawn(space, [process.execPath, END, 'serve', ...ports.map(String)]);
    const { value } = await server.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toBe('ready\n');
  }

  /** What servers answer to a client in a namespace: the address that they see. */
  async ask(space: Netns, questions: readonly string[]): Promise<Answers> {
    const client = this.spawn(space, [process.execPath, END, 'ask', '1000', ...questions]);
    const answers = v.parse(
      v.array(v.nullable(v.string())),
      witnessValue(await new Response(client.stdout).text()),
    );
    return Object.fromEntries(questions.map((question, i) => [question, answers[i] ?? null]));
  }

  /** The files of hostPorts, without those of which one is enough. */
  records(): string[] {
    const path = join(this.folder.path, 'hostports');
    return existsSync(path) ? readdirSync(path).filter((name) => name !== 'lock' && name !== 'draft') : [];
  }
}

/** All of nf_tables, as nft shows it. */
export function ruleset(node: Netns): string {
  return run(node, ['nft', 'list', 'ruleset']);
}

/** A node that has no link-local address yet asks for no neighbour in the name of others. */
export async function untilSettled(spaces: readonly Netns[]): Promise<void> {
  const tentative = ['ip', '-6', 'address', 'show', 'tentative'];
  await eventually(() => expect(spaces.map((space) => run(space, tentative)).join('')).toBe(''));
}
