/**
 * What looks after the node beside the engine, after every pass of it: the CNI plugin, and what flanneld has left. Each is
 * loaded only if there is something for it to do.
 *
 * @module
 */
import { systemClock } from './clock.ts';
import type { InstallerSurroundings } from './cni-install.ts';
import type { CniInstaller } from './install/installer.ts';
import { FlanneldRulesKeeper } from './leftovers/keeper.ts';
import { flanneldRulesName } from './model/flanneld-rules.ts';
import { FAMILIES } from './model/ip.ts';
import { type NetworkConfig, networkFamily } from './model/network.ts';
import type { Problem } from './model/problem.ts';
import type { Settings } from './model/settings.ts';

/** What they are made with. */
export interface KeeperSurroundings extends Omit<InstallerSurroundings, 'settings' | 'cni'> {
  readonly settings: Settings;
  readonly network: NetworkConfig;
  /** Whether the node's own network is whole. */
  readonly isReady: () => boolean;
}

/** See the module. */
export interface Keepers {
  /** A pass has ended. */
  ensure(): void;
  problems(): readonly Problem[];
}

/** Makes those that are wanted. */
export async function makeKeepers(surroundings: KeeperSurroundings): Promise<Keepers> {
  const installer = await makeInstallerOf(surroundings);
  const leftovers = makeRulesKeeper(surroundings);
  return {
    ensure() {
      installer?.ensure();
      leftovers.ensure();
    },
    problems: () => [...(installer?.problems() ?? []), ...leftovers.problems()],
  };
}

async function makeInstallerOf(surroundings: KeeperSurroundings): Promise<CniInstaller | undefined> {
  const { cni } = surroundings.settings;
  if (cni === undefined) return undefined;
  const { makeInstaller } = await import('./cni-install.ts');
  return makeInstaller({ ...surroundings, cni });
}

function makeRulesKeeper({ network, journal, log, isReady }: KeeperSurroundings): FlanneldRulesKeeper {
  const networks = FAMILIES.flatMap((family) => networkFamily(network, family)?.network ?? []);
  const load = () => import('./leftovers/remove.ts');
  return new FlanneldRulesKeeper({
    monotonicMs: () => systemClock.monotonicMs(),
    isReady,
    find: async () => (await load()).findFlanneldRules(),
    flanneld: async () => (await import('./cleanup/processes.ts')).findManagers().flanneld,
    remove: async (rules) => (await load()).removeFlanneldRules(rules, networks),
    onRemoved: (rules) => log.info('Removed what flanneld has left', { object: flanneldRulesName(rules) }),
    onProblem: (trouble) => journal.problem('leftovers', trouble),
  });
}
