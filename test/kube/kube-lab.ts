/**
 * A laboratory whose agents have their leases from a real cluster: each of its nodes is a Node there, with subnets as
 * a controller manager assigns them, and agents have no more rights than `k3s/rbac.yaml` gives.
 *
 * @module
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { FAMILIES, type Family } from '../../src/model/ip.ts';
import { createLab, type Lab, type LabNode } from '../net/lab.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { LAB_ADDRESS, plugIntoLab } from './lab-cable.ts';
import { FaultProxy } from './proxy.ts';

/** What {@link KubeLab.start} makes. */
export interface KubeLabOptions {
  readonly nodes: number;
  readonly families?: readonly Family[];
  readonly backend?: Readonly<Record<string, unknown>>;
  /** Whether the Nodes are made, too; otherwise the test does. */
  readonly withNodes?: boolean;
  /** Whether agents are told where their credentials are. */
  readonly withCredentials?: boolean;
  readonly cluster?: ClusterOptions;
}

/** The account that `k3s/rbac.yaml` is for. */
export const AGENT_ACCOUNT = 'system:serviceaccount:kube-system:flannelette';

/** What annotations begin with. */
export const PREFIX = 'flannel.alpha.coreos.com/';

const MERGE_PATCH = 'application/merge-patch+json';

const nodeSchema = v.looseObject({
  metadata: v.looseObject({ annotations: v.optional(v.record(v.string(), v.string()), {}) }),
  status: v.looseObject({
    conditions: v.optional(
      v.array(v.looseObject({ type: v.string(), status: v.string(), reason: v.string() })),
      [],
    ),
  }),
});

/** `await using kube = await KubeLab.start({ nodes: 2 })` */
export class KubeLab implements AsyncDisposable {
  readonly lab: Lab;
  readonly cluster: Cluster;
  /** What agents talk to. */
  readonly proxy: FaultProxy;
  /** The file that agents have their credentials from. */
  readonly kubeconfig: string;
  readonly families: readonly Family[];
  readonly #cable: Disposable;

  private constructor(parts: Pick<KubeLab, 'lab' | 'cluster' | 'proxy' | 'kubeconfig' | 'families'>) {
    this.lab = parts.lab;
    this.cluster = parts.cluster;
    this.proxy = parts.proxy;
    this.kubeconfig = parts.kubeconfig;
    this.families = parts.families;
    this.#cable = plugIntoLab(parts.lab);
  }

  /** Starts a cluster and makes the laboratory. No agent runs yet. */
  static async start(options: KubeLabOptions): Promise<KubeLab> {
    const { nodes, families = FAMILIES, backend, withNodes = true, withCredentials = true } = options;
    const cluster = await Cluster.start({ ...options.cluster, addresses: [LAB_ADDRESS] });
    await cluster.kubectl('apply', '-f', join(import.meta.dir, '../../k3s/rbac.yaml'));
    const proxy = await FaultProxy.start(cluster);
    const kubeconfig = await cluster.kubeconfig({
      user: AGENT_ACCOUNT,
      kind: 'token-file',
      server: `https://${LAB_ADDRESS}:${proxy.port}`,
    });
    const lab = await createLab({
      nodes,
      families,
      ...(backend === undefined ? {} : { backend }),
      storeArguments: ['--kube-subnet-mgr', ...(withCredentials ? ['--kubeconfig-file', kubeconfig] : [])],
    });
    const kube = new KubeLab({ lab, cluster, proxy, kubeconfig, families });
    if (withNodes) for (const node of lab.nodes) await kube.createNode(node);
    return kube;
  }

  /** Makes the Node of a node of the laboratory. */
  async createNode(node: LabNode, podCIDRs: readonly string[] = this.podCidrs(node)): Promise<void> {
    await this.cluster.createNode(node.name, { podCIDRs, fat: true });
  }

  /** The subnets of a node: the number of the node is in them. */
  podCidrs(node: LabNode): string[] {
    const number = this.lab.nodes.indexOf(node) + 1;
    return this.families.map((family) => (family === 4 ? `10.42.${number}.0/24` : `fd42:0:0:${number}::/64`));
  }

  /** flannel's annotations of a Node, by their names behind the prefix. */
  async annotations(name: string): Promise<Record<string, string>> {
    const { annotations } = (await this.#read(name)).metadata;
    const ours = Object.entries(annotations).filter(([key]) => key.startsWith(PREFIX));
    return Object.fromEntries(ours.map(([key, value]) => [key.slice(PREFIX.length), value]));
  }

  /** The condition NetworkUnavailable of a Node as `STATUS REASON`, or undefined. */
  async condition(name: string): Promise<string | undefined> {
    const { conditions } = (await this.#read(name)).status;
    const found = conditions.find(({ type }) => type === 'NetworkUnavailable');
    return found && `${found.status} ${found.reason}`;
  }

  /** Sets annotations of a Node, or with null takes them away. */
  async annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const entries = Object.entries(annotations).map(([key, value]) => [`${PREFIX}${key}`, value]);
    await this.patch(name, { metadata: { annotations: Object.fromEntries(entries) } });
  }

  /** Changes a Node by a merge patch. */
  async patch(name: string, patch: unknown, subresource = ''): Promise<void> {
    const response = await this.cluster.request(
      'PATCH',
      `/api/v1/nodes/${name}${subresource}`,
      patch,
      MERGE_PATCH,
    );
    if (!response.ok) throw new Error(await response.text());
  }

  /** Deletes a Node. */
  async deleteNode(name: string): Promise<void> {
    const response = await this.cluster.request('DELETE', `/api/v1/nodes/${name}`);
    if (!response.ok) throw new Error(await response.text());
  }

  /** Ends everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cable[Symbol.dispose]();
    await this.lab[Symbol.asyncDispose]();
    await this.proxy.close();
    await this.cluster.close();
  }

  async #read(name: string): Promise<v.InferOutput<typeof nodeSchema>> {
    const response = await this.cluster.request('GET', `/api/v1/nodes/${name}`);
    return v.parse(nodeSchema, await response.json());
  }
}
