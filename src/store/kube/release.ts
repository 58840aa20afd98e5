/**
 * Giving a node's lease in Kubernetes back: the annotations of its Node, by which its peers know it. The podCIDR is
 * the cluster's, and stays; so does what users have annotated.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';
import { type Prefix, parsePrefix } from '../../model/ip.ts';
import type { Lease, LeaseFamily } from '../../model/lease.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import type { KubeStoreSettings } from '../../model/settings.ts';
import type { FamilyAttributes } from '../lease-attributes.ts';
import { annotationPatch, leaseOf, noAnnotations } from './annotations.ts';
import { KubeApi } from './api.ts';
import { CredentialSource } from './credentials.ts';
import { PROTOBUF } from './message.ts';
import type { KubeNode, NodeFilter } from './node.ts';
import { listNodes } from './node-list.ts';

/** All leases, seen from one node. */
export interface KubeSurvey {
  readonly own: { readonly subnets: readonly Prefix[]; readonly lease: Lease | undefined } | undefined;
  /** Those of other nodes that make sense. */
  readonly peers: readonly Lease[];
  /** How many other nodes are flannel's. */
  readonly others: number;
}

/** The leases of one cluster. */
export class KubeLeases {
  readonly #api: KubeApi;
  readonly #filter: NodeFilter;
  readonly #prefix: string;
  #own: KubeNode | undefined;

  constructor(
    settings: KubeStoreSettings,
    { node, clock }: { readonly node: string; readonly clock: Clock },
  ) {
    const credentials = new CredentialSource({ kubeconfig: settings.kubeconfig, clock });
    this.#api = new KubeApi({ credentials, apiUrl: settings.apiUrl, clock, onUse: () => {} });
    this.#prefix = settings.annotationPrefix;
    this.#filter = { prefix: Buffer.from(this.#prefix), own: node };
  }

  /** Reads everything, and changes nothing. */
  async survey(): Promise<Result<KubeSurvey, Problem>> {
    let own: KubeSurvey['own'];
    let others = 0;
    const peers: Lease[] = [];
    const put = (node: KubeNode) => {
      const isOwn = node.name === this.#filter.own;
      if (isOwn) this.#own = node;
      const lease = leaseIn(node);
      if (lease === undefined) return;
      const { ipv4, ipv6 } = lease;
      if (isOwn) own = { subnets: [ipv4, ipv6].flatMap((half) => half?.subnet ?? []), lease };
      else others++;
      if (!isOwn) peers.push(lease);
    };
    const sink = { put, gone: () => {}, listed: () => {}, settled: () => {} };
    const query = { api: this.#api, filter: this.#filter, sink };
    const listed = await listNodes(query, { onPage: () => {}, isOver: () => false });
    return listed.ok ? ok({ own, peers, others }) : fail(listed.error.problem);
  }

  /** Takes the annotations away that an agent writes. */
  async release(): Promise<Result<void, Problem>> {
    if (this.#own === undefined)
      return fail(problem('node-missing', `There is no Node '${this.#filter.own}'`));
    const { annotations } = this.#own;
    const patch = annotationPatch(noAnnotations(), { annotations, prefix: this.#prefix });
    if (patch === undefined) return ok(undefined);
    const answer = await this.#api.ask({
      method: 'PATCH',
      path: `/api/v1/nodes/${encodeURIComponent(this.#filter.own)}/status`,
      accept: PROTOBUF,
      patch,
      what: `patch the status of node ${this.#filter.own}`,
      operation: 'release',
    });
    return answer.ok ? ok(undefined) : fail(answer.error.problem);
  }
}

/** What a Node says of its lease, whatever this node's own network is. */
function leaseIn(node: KubeNode): Lease | undefined {
  const raw = leaseOf(node);
  if (raw === undefined || !raw.attributes.ok) return undefined;
  const { backendType, ipv4, ipv6 } = raw.attributes.value;
  return { node: raw.node, backendType, ipv4: half(raw.subnet, ipv4), ipv6: half(raw.subnetV6, ipv6) };
}

function half(text: string | undefined, { publicIp, vtep }: FamilyAttributes): LeaseFamily | undefined {
  const subnet = text === undefined ? undefined : parsePrefix(text);
  return subnet === undefined || publicIp === undefined ? undefined : { subnet, publicIp, vtep };
}
