/**
 * A real Kubernetes API server for the demo's agents: each node is a Node there, with subnets as a controller manager
 * assigns them, and the agents have the rights of `k3s/rbac.yaml`, no more.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Family } from '../../../model/ip.ts';
import type { Site } from '../agents.ts';
import type { DemoOptions } from '../arguments.ts';
import { DemoFailure } from '../failure.ts';
import { plugInStore } from '../store-cable.ts';
import type { NodeSpace, UnderlayNetwork } from '../topology.ts';
import { askApi } from './api-client.ts';
import { ControlPlane } from './control-plane.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { findPrograms } from './programs.ts';
import { roleObjects } from './roles.ts';

const PORTS = { apiserver: 6443, etcd: 2379, etcdPeer: 2380 } as const;

/** Of the account that `k3s/rbac.yaml` makes. */
const TOKEN_PATH = '/api/v1/namespaces/kube-system/serviceaccounts/flannelette/token';
const TOKEN_SECONDS = 86_400;

/** The server makes `kube-system` itself, soon after it is ready. */
const NAMESPACE_PATH = '/api/v1/namespaces/kube-system';
const NAMESPACE_MS_MAX = 20_000;
const ASK_INTERVAL_MS = 20;

const tokenSchema = v.looseObject({ status: v.looseObject({ token: v.string() }) });

/**
 * Starts it with the Nodes in it, and says how agents find it.
 *
 * @throws DemoFailure if it does not start
 */
export async function startKubeStore(
  { families }: Pick<DemoOptions, 'families'>,
  { site, underlay }: { readonly site: Site; readonly underlay: UnderlayNetwork },
): Promise<Site> {
  const [family = 4] = families;
  const address = plugInStore(underlay, family);
  const directory = join(site.directory, 'kube');
  const plane = new ControlPlane({ programs: findPrograms(), ports: PORTS, directory, addresses: [address] });
  try {
    await plane.start();
    const token = await makeAccount(plane);
    await Promise.all(underlay.nodes.map((node) => makeNode(plane, node, families)));
    const url = `https://${family === 4 ? address : `[${address}]`}:${plane.port}`;
    const kubeconfig = join(directory, 'kubeconfig');
    const text = kubeconfigText({ url, caPem: plane.caPem }, [`token: ${token}`]);
    writeFileSync(kubeconfig, text, { mode: 0o600 });
    const netConfig = ['--net-config-path', join(site.directory, 'net-conf.json')];
    return { ...site, storeArguments: [...netConfig, '--kube-subnet-mgr', '--kubeconfig-file', kubeconfig] };
  } catch (error) {
    const [first = '', ...others] = String(error).split('\n');
    throw new DemoFailure(`Kubernetes does not start: ${first}`, others);
  }
}

/** Gives back a token of the agents' account. */
async function makeAccount(plane: ControlPlane): Promise<string> {
  const deadlineMs = performance.now() + NAMESPACE_MS_MAX;
  while (!(await askApi(plane.server, plane.admin, { path: NAMESPACE_PATH })).ok) {
    if (performance.now() > deadlineMs) throw new Error('The server does not make the namespace kube-system');
    await Bun.sleep(ASK_INTERVAL_MS);
  }
  for (const { path, body } of roleObjects()) await post(plane, path, body);
  const answer = await post(plane, TOKEN_PATH, { spec: { expirationSeconds: TOKEN_SECONDS } });
  return v.parse(tokenSchema, answer).status.token;
}

function makeNode(
  plane: ControlPlane,
  { name, number }: NodeSpace,
  families: readonly Family[],
): Promise<unknown> {
  const podCIDRs = families.map((family) =>
    family === 4 ? `10.42.${number}.0/24` : `fd42:0:0:${number}::/64`,
  );
  const spec = { podCIDR: podCIDRs[0], podCIDRs };
  return post(plane, '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec });
}

async function post(plane: ControlPlane, path: string, body: unknown): Promise<unknown> {
  const answer = await askApi(plane.server, plane.admin, { method: 'POST', path, body });
  if (answer.ok) return answer.json();
  throw new Error(`POST ${path} was answered by ${answer.status}: ${await answer.text()}`);
}
