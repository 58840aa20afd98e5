/**
 * Opened.
 *
 * @module
 */
import type { LeaseStore, StoreTools } from '../../model/lease-store.ts';
import type { KubeStoreSettings } from '../../model/settings.ts';

/** See the module. */
export function openKubeStore(_settings: KubeStoreSettings, _tools: StoreTools): LeaseStore {
  throw new Error('not yet');
}
