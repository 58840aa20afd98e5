/**
 * Where the agents of the demo have their leases: a file, a real etcd, or a real Kubernetes API server.
 *
 * @module
 */
import type { Site } from './agents.ts';
import type { DemoOptions } from './arguments.ts';
import { startEtcdStore } from './etcd.ts';
import { DemoFailure } from './failure.ts';
import { findPrograms } from './kube/programs.ts';
import { startKubeStore } from './kube/start.ts';
import type { UnderlayNetwork } from './topology.ts';

const { PATH = '' } = process.env;

/**
 * Says before anything is made whether the store can be had.
 *
 * @param path where programs are looked for
 * @throws DemoFailure if not
 */
export function requireStore({ store }: Pick<DemoOptions, 'store'>, path = PATH): void {
  if (store === 'kube') findPrograms();
  if (store === 'etcd' && Bun.which('etcd', { PATH: path }) === null)
    throw new DemoFailure('There is no etcd on this machine', ['Install it: apt install etcd-server']);
}

/**
 * Starts what the agents need, and says how they find it.
 *
 * @throws DemoFailure if it does not start
 */
export async function startStore(
  { store, families }: Pick<DemoOptions, 'store' | 'families'>,
  parts: { readonly site: Site; readonly underlay: UnderlayNetwork },
): Promise<Site> {
  switch (store) {
    case 'sqlite':
      return parts.site;
    case 'etcd':
      return startEtcdStore({ families }, parts);
    case 'kube':
      return startKubeStore({ families }, parts);
  }
}
