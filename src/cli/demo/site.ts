/**
 * What the agents of one demonstration share: the network's configuration and the lease store.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family } from '../../model/ip.ts';
import type { Site } from './agents.ts';

/** The pod network, as net-conf.json describes it. */
export interface PodNetwork {
  readonly families: readonly Family[];
  /** The `Backend` object: flannel's keys. */
  readonly backend: Readonly<Record<string, unknown>>;
  /** Further members, which come last. */
  readonly netConfig?: Readonly<Record<string, unknown>>;
}

/** What agents are started with. */
export interface SiteOptions extends PodNetwork {
  readonly command: readonly string[];
  /** The flags of a lease store; a file in the directory if absent. */
  readonly storeArguments?: readonly string[] | undefined;
}

/** Writes net-conf.json into the directory and says how agents find it and their leases. */
export function makeSite(directory: string, options: SiteOptions): Site {
  const { command, storeArguments: given, ...network } = options;
  const netConfigPath = join(directory, 'net-conf.json');
  writeFileSync(netConfigPath, `${JSON.stringify(netConfOf(network), undefined, 2)}\n`);
  const store = given ?? ['--lease-db', join(directory, 'leases.db')];
  const storeArguments = ['--net-config-path', netConfigPath, ...store];
  return { directory, command, storeArguments };
}

/** How this program starts itself: compiled, it is its own executable; else it is a script for Bun. */
export function ownCommand(): readonly string[] {
  return Bun.main.startsWith('/$bunfs/') ? [process.execPath] : [process.execPath, Bun.main];
}

function netConfOf({ families, backend, netConfig = {} }: PodNetwork) {
  return {
    ...(families.includes(4) ? { Network: '10.42.0.0/16' } : { EnableIPv4: false }),
    ...(families.includes(6) ? { EnableIPv6: true, IPv6Network: 'fd42::/48' } : {}),
    Backend: backend,
    ...netConfig,
  };
}
