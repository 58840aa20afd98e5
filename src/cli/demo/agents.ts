/**
 * Agents as processes: the executable itself, one in each node's namespace.
 *
 * @module
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns } from '../../../ffi/netns.ts';
import { parseStatus, type StatusDocument } from '../status-document.ts';
import { DemoFailure } from './failure.ts';
import { type NodeSubnets, parseNodeSubnets } from './subnet-env.ts';
import { type NodeSpace, UNDERLAY_LINK } from './topology.ts';

/** How often a starting agent is asked whether it is ready. */
const ASK_INTERVAL_MS = 2;
/** An agent that is not ready by then has failed. */
const READY_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 2_000;
/** How much of a failed agent's log is shown. */
const LOG_LINES_SHOWN = 12;
const LOG_LINE_LENGTH_SHOWN = 240;

/** What all agents of one network have in common. */
export interface Site {
  /** Everything that the agents write is below it. */
  readonly directory: string;
  /** The executable, and what has to stand before `run`. */
  readonly command: readonly string[];
  /** Flags that name the lease store and the network's configuration. */
  readonly storeArguments: readonly string[];
}

/** What one agent gets beyond what its node and site say. */
export interface AgentExtras {
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** What a process takes of the machine's memory (`proc_pid_status(5)`). */
export interface Memory {
  readonly rssKib: number;
  readonly anonKib: number;
}

/** An answer of an agent's Unix socket. */
export interface AgentAnswer {
  readonly status: number;
  readonly text: string;
}

/** One agent, from its start to its end. */
export class Agent {
  readonly node: NodeSpace;
  readonly directory: string;
  readonly #process: Bun.Subprocess<'ignore', number, number>;
  readonly #startedMs: number;

  /** Starts it. It inherits nothing of the environment but where programs are found. */
  constructor(node: NodeSpace, site: Site, extras: AgentExtras = {}) {
    this.node = node;
    this.directory = join(site.directory, node.name);
    mkdirSync(this.directory, { recursive: true });
    const log = openSync(this.logFile, 'a');
    const command = [
      ...site.command,
      'run',
      ...site.storeArguments,
      ...this.#arguments(),
      ...(extras.arguments ?? []),
    ];
    const { PATH = '' } = process.env;
    const env = { PATH, NODE_NAME: node.name, ...extras.environment };
    this.#startedMs = performance.now();
    this.#process = inNetns(node.netns, () =>
      Bun.spawn(command, { cwd: '/', env, stdio: ['ignore', log, log] }),
    );
    closeSync(log);
  }

  get pid(): number {
    return this.#process.pid;
  }

  get logFile(): string {
    return join(this.directory, 'agent.log');
  }

  get socketPath(): string {
    return join(this.directory, 'agent.sock');
  }

  /** The subnet.env that it writes. */
  get subnetFile(): string {
    return join(this.directory, 'subnet.env');
  }

  /** Whether it has ended. */
  get ended(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Waits until it says so itself. Gives back how long that took from its start, in milliseconds. */
  async ready(timeoutMs: number = READY_TIMEOUT_MS): Promise<number> {
    // It cannot be ready before it has written the file, and being asked all the time would cost it memory.
    const isReady = async () => existsSync(this.subnetFile) && (await this.get('/readyz'))?.status === 200;
    await this.#until(isReady, { what: 'ready', timeoutMs });
    return performance.now() - this.#startedMs;
  }

  /** Waits until it has put so many peers into the kernel. */
  async programmed(peers: number, timeoutMs: number = READY_TIMEOUT_MS): Promise<void> {
    const isDone = async () => (await this.#programmedPeers()) >= peers;
    await this.#until(isDone, { what: `done with its ${peers} peers`, timeoutMs });
  }

  /** Asks its Unix socket; `undefined` if nobody answers. */
  async get(path: string): Promise<AgentAnswer | undefined> {
    if (!existsSync(this.socketPath)) return undefined;
    try {
      const response = await fetch(`http://agent${path}`, {
        unix: this.socketPath,
        headers: { connection: 'close' },
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      return { status: response.status, text: await response.text() };
    } catch {
      return undefined;
    }
  }

  /** Its status document; `undefined` if nobody answers, or not with one. */
  async status(): Promise<StatusDocument | undefined> {
    const answer = await this.get('/status');
    const status = parseStatus(answer?.text ?? '');
    return status.ok ? status.value : undefined;
  }

  /** What it wrote to subnet.env, once it has. */
  subnets(): NodeSubnets | undefined {
    return existsSync(this.subnetFile) ? parseNodeSubnets(readFileSync(this.subnetFile, 'utf8')) : undefined;
  }

  memory(): Memory {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
    return { rssKib: kib('VmRSS'), anonKib: kib('RssAnon') };
  }

  /** Sends a signal and waits for the end. Gives back the exit status, or the signal's name. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT' = 'SIGTERM'): Promise<number | string> {
    this.#process.kill(signal);
    await this.#process.exited;
    return this.#process.signalCode ?? this.#process.exitCode ?? 0;
  }

  /** The last lines of its log, long ones cut. */
  logTail(lines: number = LOG_LINES_SHOWN): string[] {
    const all = readFileSync(this.logFile, 'utf8').trimEnd().split('\n');
    return all.slice(-lines).map((line) => line.slice(0, LOG_LINE_LENGTH_SHOWN));
  }

  #arguments(): string[] {
    return [
      ...['--subnet-file', this.subnetFile],
      ...['--state-dir', join(this.directory, 'state')],
      ...['--socket', this.socketPath],
      ...['--iface', UNDERLAY_LINK],
      // The usual directories of CNI are the machine's, not a node's.
      '--install-cni=false',
    ];
  }

  async #programmedPeers(): Promise<number> {
    const peers = (await this.status())?.peers ?? [];
    return peers.filter(({ state }) => state === 'programmed').length;
  }

  async #until(
    isDone: () => Promise<boolean>,
    { what, timeoutMs }: { what: string; timeoutMs: number },
  ): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await isDone())) {
      if (this.ended) throw await this.#failure(`ended with ${this.#outcome()}`);
      if (performance.now() > deadline)
        throw await this.#failure(`is not ${what} after ${timeoutMs / 1000} s`);
      await Bun.sleep(ASK_INTERVAL_MS);
    }
  }

  #outcome(): string {
    const { signalCode, exitCode } = this.#process;
    return signalCode === null ? `status ${exitCode}` : `signal ${signalCode}`;
  }

  async #failure(what: string): Promise<DemoFailure> {
    const reasons = (await this.get('/readyz'))?.text.trimEnd().split('\n') ?? [];
    const details = [
      ...(reasons.length > 0 ? ['It says of itself:', ...reasons.map((line) => `  ${line}`)] : []),
      'The end of its log:',
      ...this.logTail().map((line) => `  ${line}`),
    ];
    return new DemoFailure(`The agent of ${this.node.name} ${what}`, details);
  }
}
