/**
 * Calls to a container runtime as a kubelet makes them.
 *
 * @module
 */
import * as v from 'valibot';
import { findBinaries } from './binaries.ts';

const sandboxSchema = v.object({ podSandboxId: v.string() });
const containerSchema = v.object({ containerId: v.string() });
/** What is of the value 0 is left out. */
const READY = 'SANDBOX_READY';
const itemSchema = v.object({ id: v.string(), state: v.optional(v.string(), READY) });
const listSchema = v.object({ items: v.optional(v.array(itemSchema), []) });
const addressSchema = v.object({ ip: v.string() });
const statusSchema = v.object({
  status: v.object({
    network: v.object({ ip: v.string(), additionalIps: v.optional(v.array(addressSchema), []) }),
  }),
  info: v.object({ info: v.string() }),
});
const infoSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    runtimeSpec: v.object({
      linux: v.object({
        namespaces: v.array(v.object({ type: v.string(), path: v.optional(v.string(), '') })),
      }),
    }),
  }),
);
const execSchema = v.object({
  stdout: v.optional(v.string(), ''),
  stderr: v.optional(v.string(), ''),
  exitCode: v.optional(v.number(), 0),
});
const conditionsSchema = v.object({
  status: v.object({
    conditions: v.array(
      v.object({
        type: v.string(),
        status: v.optional(v.boolean(), false),
        message: v.optional(v.string(), ''),
      }),
    ),
  }),
});

/** `PodSandboxConfig` of the CRI, as far as it is used here; in the JSON of its messages. */
export interface SandboxConfig {
  readonly metadata: { readonly name: string; readonly uid: string; readonly namespace: string };
  readonly port_mappings: readonly PortMapping[];
  readonly linux: { readonly cgroup_parent: string };
}

/** A port of the node that is one of the pod's. */
export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly container_port: number;
  readonly host_port: number;
  readonly host_ip?: string;
}

/** What a runtime says of a pod. */
export interface SandboxStatus {
  readonly ips: readonly string[];
  /** The path of its network namespace, as the runtime sees it. */
  readonly netns: string;
}

/** A runtime, by its socket. */
export class Cri {
  readonly #socket: string;
  readonly #program = findBinaries().cri;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Whether a condition such as `NetworkReady` is true; throws while nobody answers. */
  async condition(type: string): Promise<boolean> {
    const { status } = v.parse(conditionsSchema, await this.#call('Status', {}));
    return status.conditions.some((condition) => condition.type === type && condition.status);
  }

  /** Starts a pod and gives back its ID. */
  async runPod(config: SandboxConfig): Promise<string> {
    return v.parse(sandboxSchema, await this.#call('RunPodSandbox', { config })).podSandboxId;
  }

  async podStatus(id: string): Promise<SandboxStatus> {
    const answer = await this.#call('PodSandboxStatus', { pod_sandbox_id: id, verbose: true });
    const { status, info } = v.parse(statusSchema, answer);
    const { namespaces } = v.parse(infoSchema, info.info).runtimeSpec.linux;
    return {
      ips: [status.network.ip, ...status.network.additionalIps.map(({ ip }) => ip)],
      netns: namespaces.find(({ type }) => type === 'network')?.path ?? '',
    };
  }

  /** The IDs of the pods that run, and of those that do not any more. */
  async pods(): Promise<{ readonly running: string[]; readonly ended: string[] }> {
    const { items } = v.parse(listSchema, await this.#call('ListPodSandbox', {}));
    const inState = (running: boolean) => items.filter(({ state }) => (state === READY) === running);
    return { running: inState(true).map(({ id }) => id), ended: inState(false).map(({ id }) => id) };
  }

  /** Stops a pod and removes it, as a kubelet does. */
  async removePod(id: string): Promise<void> {
    await this.#call('StopPodSandbox', { pod_sandbox_id: id });
    await this.#call('RemovePodSandbox', { pod_sandbox_id: id });
  }

  /** Starts a container in a pod and gives back its ID. */
  async runContainer(
    pod: { readonly id: string; readonly config: SandboxConfig },
    { image, command }: { image: string; command: readonly string[] },
  ): Promise<string> {
    const config = { metadata: { name: 'main' }, image: { image }, command, linux: {} };
    const request = { pod_sandbox_id: pod.id, config, sandbox_config: pod.config };
    const { containerId } = v.parse(containerSchema, await this.#call('CreateContainer', request));
    await this.#call('StartContainer', { container_id: containerId });
    return containerId;
  }

  /** Runs a command in a container and gives back what it prints; throws if it fails. */
  async exec(container: string, command: readonly string[]): Promise<string> {
    const request = { container_id: container, cmd: command, timeout: 20 };
    const { stdout, stderr, exitCode } = v.parse(execSchema, await this.#call('ExecSync', request));
    const text = (base64: string) => Buffer.from(base64, 'base64').toString();
    if (exitCode === 0) return text(stdout);
    throw new Error(`'${command.join(' ')}' ended with ${exitCode}: ${text(stderr)}`);
  }

  async #call(method: string, request: object): Promise<unknown> {
    const child = Bun.spawn([this.#program, this.#socket, method], {
      stdin: Buffer.from(JSON.stringify(request)),
      stderr: 'pipe',
    });
    const [printed, said] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    if ((await child.exited) !== 0) throw new Error(`${method}: ${said.trim()}`);
    return JSON.parse(printed);
  }
}
