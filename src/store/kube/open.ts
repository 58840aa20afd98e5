/**
 * Kubernetes as a lease store, opened.
 *
 * @module
 */
import type { LeaseStore, StoreTools } from '../../model/lease-store.ts';
import { isNodeName } from '../../model/node-name.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { fail, ok, type Result } from '../../model/result.ts';
import type { KubeStoreSettings, PodName } from '../../model/settings.ts';
import { quoted } from '../printable.ts';
import { LeaseFile } from '../remembered/lease-file.ts';
import { RememberingSource } from '../remembered/source.ts';
import { KubeApi } from './api.ts';
import { CredentialSource } from './credentials.ts';
import { PROTOBUF, readPodNode } from './message.ts';
import { KubeLeaseSource } from './source.ts';

/** See the module. Nothing is connected to yet. */
export function openKubeStore(settings: KubeStoreSettings, tools: StoreTools): LeaseStore {
  const { clock, random, log, onUse, onBulk, collect } = tools;
  const { kubeconfig, apiUrl, pod } = settings;
  const credentials = new CredentialSource({ kubeconfig, clock });
  const api = new KubeApi({ credentials, apiUrl, clock, onUse });
  return {
    name: `kubernetes ${apiUrl ?? ''}`.trim(),
    readNetwork: undefined,
    readNodeName: pod && (() => nodeOf(pod, api)),
    source: ({ node, network }) => {
      const inner = new KubeLeaseSource({ api, settings, node, network, clock, random, log, collect });
      const file = new LeaseFile({ directory: tools.settings.stateDir, node, store: 'kube' });
      return new RememberingSource({ inner, file, node, network, clock, random, log, onSaved: onBulk });
    },
  };
}

/** Where the pod runs, as flannel finds out if only POD_NAME and POD_NAMESPACE are set. */
async function nodeOf({ name, namespace }: PodName, api: KubeApi): Promise<Result<string, Problem>> {
  const answer = await api.ask({
    method: 'GET',
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`,
    accept: PROTOBUF,
    what: `read pod ${namespace}/${name}`,
    operation: 'own',
  });
  if (!answer.ok) return fail(answer.error.problem);
  const node = readPodNode(answer.value) ?? '';
  if (isNodeName(node)) return ok(node);
  return fail(
    problem('node-missing', `Pod ${namespace}/${name} is on no node that has a name: ${quoted(node)}`),
  );
}
