/**
 * Opened.
 *
 * @module
 */
import type { LeaseStore, StoreTools } from '../../model/lease-store.ts';
import type { EtcdStoreSettings } from '../../model/settings.ts';

/** See the module. */
export function openEtcdStore(_settings: EtcdStoreSettings, _tools: StoreTools): LeaseStore {
  throw new Error('not yet');
}
