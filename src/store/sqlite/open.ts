/**
 * The embedded store, opened.
 *
 * @module
 */
import type { LeaseStore, StoreTools } from '../../model/lease-store.ts';
import type { SqliteStoreSettings } from '../../model/settings.ts';
import { SqliteLeaseSource } from './source.ts';

/** See the module. The file is made when something is written. */
export function openSqliteStore({ path }: SqliteStoreSettings, tools: StoreTools): LeaseStore {
  const { settings, clock, random, log, onUse } = tools;
  const { renewMarginMinutes } = settings;
  return {
    name: `sqlite ${path}`,
    readNetwork: undefined,
    readNodeName: undefined,
    source: ({ node, network }) =>
      new SqliteLeaseSource({ path, network, node, renewMarginMinutes, clock, random, log, onUse }),
  };
}
