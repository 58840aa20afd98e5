/**
 * A real cluster full of Nodes, and nodes of the bench whose agents have their leases from it.
 *
 * The bench's own network has the servers. A node reaches them over a cable of its own, nothing in between.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openNetnsOf } from '../../../ffi/netns.ts';
import { Cluster, type NamedNode } from '../../kube/cluster.ts';
import { AGENT_ACCOUNT, PREFIX } from '../../kube/kube-lab.ts';
import { run } from '../../net/witness.ts';
import { type BenchAgent, BenchNode } from '../bench-node.ts';
import { macOf, publicIpOf, subnetOf } from '../leases.ts';

/** Where the servers are for nodes: in their underlay subnet, far from the addresses of peers. */
const SERVER = '172.31.255.254';

/** Longer than the bench takes. */
const TOKEN_SECONDS = 6 * 3_600;

/** The number of the bench's own node, whose subnet no peer has. */
const OWN = 16_000;

/** How full, and of what. */
export interface StageOptions {
  readonly count: number;
  /** As kubelets leave them: 13 kB each, 50 images; else less than 1 kB. */
  readonly fat: boolean;
}

/** `await using stage = await KubeStage.start({ count: 1_000, fat: true })` */
export class KubeStage implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly options: StageOptions;
  readonly #kubeconfig: string;

  private constructor(cluster: Cluster, options: StageOptions, kubeconfig: string) {
    this.cluster = cluster;
    this.options = options;
    this.#kubeconfig = kubeconfig;
  }

  /** Starts the servers and makes the Nodes, some hundred a second. */
  static async start(options: StageOptions): Promise<KubeStage> {
    const cluster = await Cluster.start({ addresses: [SERVER] });
    await cluster.kubectl('apply', '-f', join(import.meta.dir, '../../../k3s/rbac.yaml'));
    const kubeconfig = await cluster.kubeconfig({
      user: AGENT_ACCOUNT,
      kind: 'token-file',
      server: `https://${SERVER}:${cluster.port}`,
      seconds: TOKEN_SECONDS,
    });
    const { count, fat } = options;
    await cluster.createNodes(Array.from({ length: count }, (_, i) => peerNode(i, fat)));
    await cluster.createNode('bench-node', { podCIDRs: [subnetOf(OWN, 4)], fat });
    return new KubeStage(cluster, options, kubeconfig);
  }

  /** What rows of this stage begin with. */
  get name(): string {
    const { count, fat } = this.options;
    return `kube, ${count.toLocaleString('en')} ${fat ? 'fat' : 'thin'} Nodes`;
  }

  /** A node that knows nothing yet, plugged in. One at a time. */
  plugIn(): BenchNode {
    const node = new BenchNode({ count: 0, families: [4], backend: 'vxlan' });
    // The kernel takes its time to remove a namespace and with it the former cable, if there was one.
    Bun.spawnSync(['ip', 'link', 'delete', 'cable'], { stderr: 'ignore' });
    // By a descriptor: while a command is started in the node, this process is there itself.
    using bench = openNetnsOf(process.pid);
    run(node.netns, ['ip', 'link', 'set', 'cable', 'netns', `/proc/${process.pid}/fd/${bench.fd}`]);
    own('ip', 'address', 'add', `${SERVER}/12`, 'dev', 'cable');
    own('ip', 'link', 'set', 'cable', 'up');
    return node;
  }

  /** Starts the agent of a node. */
  startAgent(node: BenchNode, wrapper: readonly string[] = []): BenchAgent {
    return node.startAgent(wrapper, {
      'kube-subnet-mgr': 'true',
      'kubeconfig-file': this.#kubeconfig,
      'net-config-path': node.path('net-conf.json'),
    });
  }

  /** Asks the server, which must not refuse, and gives back when it had answered. */
  async ask(method: string, path: string, body?: unknown): Promise<number> {
    const type = method === 'PATCH' ? 'application/strategic-merge-patch+json' : undefined;
    const answer = await this.cluster.request(method, `/api/v1/nodes${path}`, body, type);
    const answeredMs = performance.now();
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was answered by ${answer.status}: ${text}`);
    return answeredMs;
  }

  /** See {@link Cluster.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster.close();
  }
}

/** The Node of peer `i`. */
export function peerNode(i: number, fat: boolean): NamedNode {
  return { name: `peer-${i}`, podCIDRs: [subnetOf(i, 4)], annotations: annotationsOf(i, macOf(i, 4)), fat };
}

/** What a flannel agent of peer `i` would publish. */
export function annotationsOf(i: number, mac: string): Record<string, string> {
  return {
    [`${PREFIX}backend-data`]: JSON.stringify({ VNI: 1, VtepMAC: mac }),
    [`${PREFIX}backend-type`]: 'vxlan',
    [`${PREFIX}kube-subnet-manager`]: 'true',
    [`${PREFIX}public-ip`]: publicIpOf(i, 4),
  };
}

/** Runs a command in the bench's own network. */
export function own(...command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...command], { stderr: 'pipe' });
  if (exitCode !== 0) throw new Error(`'${command.join(' ')}' failed: ${stderr}`);
}

/** Looks every millisecond, which costs little, until a file is there. */
export async function untilFile(path: string): Promise<number> {
  while (!existsSync(path)) await Bun.sleep(1);
  return performance.now();
}
