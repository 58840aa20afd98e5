/**
 * A laboratory for tests: nodes in network namespaces joined by a bridge, agents as processes, pods, and
 * witnesses that look at the kernel with other people's tools. Built from the demo's parts.
 *
 * It needs to be root, of the machine or of a user namespace (`unshare -Urnm`); the machine's own network is
 * not touched.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Netns } from '../../ffi/netns.ts';
import { Agent, type AgentExtras, type Site } from '../../src/cli/demo/agents.ts';
import type { Pod } from '../../src/cli/demo/pods.ts';
import { makeSite } from '../../src/cli/demo/site.ts';
import { buildUnderlay, type NodeSpace, type UnderlayNetwork } from '../../src/cli/demo/topology.ts';
import { FAMILIES, type Family } from '../../src/model/ip.ts';
import { addPod } from './pod-by-hand.ts';
import { type Capture, capture, run, type WitnessRecord, witnessRecords, witnessValue } from './witness.ts';

/** The executable that `npm run build` makes for this machine. */
export const EXECUTABLE = join(import.meta.dir, '../../dist/flannelette');

/** What {@link createLab} makes. */
export interface LabOptions {
  readonly nodes: number;
  /** Both if absent. */
  readonly families?: readonly Family[];
  /** The `Backend` object of net-conf.json; vxlan if absent. */
  readonly backend?: Readonly<Record<string, unknown>>;
  /** Further members of net-conf.json, which come last. */
  readonly netConfig?: Readonly<Record<string, unknown>>;
  /** The command that is started with `run` and flags; the built executable if absent. */
  readonly command?: readonly string[];
  /** The flags of the lease store; a file of the laboratory if absent. */
  readonly storeArguments?: readonly string[];
}

/** Makes the underlay and writes net-conf.json. No agent runs yet. */
export async function createLab(options: LabOptions): Promise<Lab> {
  const {
    families = FAMILIES,
    backend = { Type: 'vxlan' },
    netConfig = {},
    command = [EXECUTABLE],
  } = options;
  const directory = mkdtempSync(join(tmpdir(), 'flannelette-lab-'));
  try {
    // An agent must not outlive a test process that is killed.
    const mortal = ['setpriv', '--pdeathsig', 'KILL', '--', ...command];
    const { storeArguments } = options;
    const site = makeSite(directory, { families, backend, netConfig, command: mortal, storeArguments });
    return new Lab(site, await buildUnderlay({ nodes: options.nodes, families }));
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

/** The laboratory: `await using lab = await createLab({ nodes: 2 })`. */
export class Lab implements AsyncDisposable {
  readonly nodes: readonly LabNode[];
  readonly site: Site;
  readonly #underlay: UnderlayNetwork;

  /** Use {@link createLab}. */
  constructor(site: Site, underlay: UnderlayNetwork) {
    this.site = site;
    this.#underlay = underlay;
    this.nodes = underlay.nodes.map((space) => new LabNode(space, site));
  }

  /** Below it is everything that agents write. */
  get directory(): string {
    return this.site.directory;
  }

  /** The namespace of the bridge `br0`, which has a port for each node, named as the node. */
  get bridge(): Netns {
    return this.#underlay.bridge;
  }

  /** A node by its number, from 1. */
  node(number: number): LabNode {
    const node = this.nodes[number - 1];
    if (node === undefined) throw new RangeError(`The lab has no node ${number}`);
    return node;
  }

  /** Starts an agent on every node at once, and waits until each has all others in its kernel. */
  async startAll(extras: AgentExtras = {}): Promise<void> {
    for (const node of this.nodes) node.start(extras);
    await Promise.all(this.nodes.map(({ agent }) => agent.ready()));
    await this.settled();
  }

  /** Waits until every running agent has all others in its kernel. */
  async settled(): Promise<void> {
    const running = this.nodes.filter(({ running }) => running);
    await Promise.all(running.map(({ agent }) => agent.programmed(running.length - 1)));
  }

  /** A pod on every node. */
  addPods(): Promise<Pod[]> {
    return Promise.all(this.nodes.map((node) => node.addPod()));
  }

  /** Captures on the bridge, where everything between nodes passes by. */
  captureUnderlay(filter: readonly string[]): Promise<Capture> {
    return capture(this.#underlay.bridge, { link: 'br0', filter });
  }

  /** Ends all agents, lets all namespaces go and removes all files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
    this.#underlay[Symbol.dispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** One node of a laboratory. */
export class LabNode implements AsyncDisposable {
  readonly space: NodeSpace;
  readonly #site: Site;
  readonly #pods: Pod[] = [];
  #agent: Agent | undefined;

  constructor(space: NodeSpace, site: Site) {
    this.space = space;
    this.#site = site;
  }

  get name(): string {
    return this.space.name;
  }

  /** Whether its agent was started and has not ended. */
  get running(): boolean {
    return this.#agent?.ended === false;
  }

  /** The agent that was started last. */
  get agent(): Agent {
    if (this.#agent === undefined) throw new Error(`No agent was started on ${this.name}`);
    return this.#agent;
  }

  /** Starts an agent; one after the other finds the same files. */
  start(extras: AgentExtras = {}): Agent {
    if (this.running) throw new Error(`The agent of ${this.name} runs already`);
    this.#agent = new Agent(this.space, this.#site, extras);
    return this.#agent;
  }

  /** `kill -9`, and waits for the end. */
  async kill(): Promise<void> {
    await this.agent.stop('SIGKILL');
  }

  /** Ends the agent in order, and gives back its exit status. */
  stop(): Promise<number | string> {
    return this.agent.stop('SIGTERM');
  }

  /** A pod in the node's subnet; its agent has to be ready. */
  async addPod(): Promise<Pod> {
    const subnets = this.agent.subnets();
    if (subnets === undefined) throw new Error(`${this.name} has no subnet yet`);
    const pod = await addPod(this.space, subnets);
    this.#pods.push(pod);
    return pod;
  }

  /** Runs a command in the node's namespace and gives back what it prints; throws if it fails. */
  run(...command: string[]): string {
    return run(this.space.netns, command);
  }

  /** What `ip -details -json ...` prints. */
  ip(...args: string[]): WitnessRecord[] {
    return witnessRecords(this.run('ip', '-details', '-json', ...args));
  }

  /** What `bridge -details -json ...` prints. */
  bridge(...args: string[]): WitnessRecord[] {
    return witnessRecords(this.run('bridge', '-details', '-json', ...args));
  }

  /** What `nft --json ...` prints. */
  nft(...args: string[]): unknown {
    return witnessValue(this.run('nft', '--json', ...args));
  }

  /** What `ethtool --json ...` prints. */
  ethtool(...args: string[]): WitnessRecord[] {
    return witnessRecords(this.run('ethtool', '--json', ...args));
  }

  /** Starts `tcpdump` on a link of the node. */
  capture(link: string, filter: readonly string[]): Promise<Capture> {
    return capture(this.space.netns, { link, filter });
  }

  /** Ends its agent and lets its pods go. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) await this.kill();
    for (const pod of this.#pods.splice(0)) pod[Symbol.dispose]();
  }
}
