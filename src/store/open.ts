/**
 * Opens the lease store that the settings name. Only that one's code is loaded.
 *
 * @module
 */
import type { LeaseStore, StoreTools } from '../model/lease-store.ts';

/** See the module. Nothing is connected to yet. */
export async function openStore(tools: StoreTools): Promise<LeaseStore> {
  const { leases } = tools.settings;
  switch (leases.kind) {
    case 'sqlite':
      return (await import('./sqlite/open.ts')).openSqliteStore(leases, tools);
    case 'etcd':
      return (await import('./etcd/open.ts')).openEtcdStore(leases, tools);
    case 'kube':
      return (await import('./kube/open.ts')).openKubeStore(leases, tools);
  }
}
