/**
 * What looks after the node beside the engine, after every pass of it: hostPorts, the CNI plugin, what flanneld has left, and
 * rules in iptables. Each is loaded only if there is something for it to do.
 *
 * @module
 */
import type { Agent } from './agent/agent.ts';
import type { HostPortKeeper } from './agent/host-port-keeper.ts';
import { systemClock } from './clock.ts';
import type { InstallerSurroundings } from './cni-install.ts';
import { keepHostPorts } from './host-ports.ts';
import type { CniInstaller } from './install/installer.ts';
import type { IptablesKeeper } from './iptables/keeper.ts';
import { FlanneldRulesKeeper } from './leftovers/keeper.ts';
import { type FlanneldRules, flanneldRulesName, programName } from './model/flanneld-rules.ts';
import { FAMILIES } from './model/ip.ts';
import { type NetworkConfig, networkFamily } from './model/network.ts';
import type { Problem } from './model/problem.ts';
import type { Settings } from './model/settings.ts';
import type { TableObject } from './model/traffic-rules.ts';

/** What they are made with. */
export interface KeeperSurroundings extends Omit<InstallerSurroundings, 'settings' | 'cni'> {
  readonly settings: Settings;
  readonly network: NetworkConfig;
  readonly kernel: { hearRules(): void };
  /** Once there is one: whether it is ready, and how it is made to find that out anew. */
  readonly agent: () => Pick<Agent, 'readiness' | 'look'> | undefined;
}

/** See the module. */
export interface Keepers {
  readonly hostPorts: HostPortKeeper;
  /** If rules are kept in iptables. */
  readonly iptables: Pick<IptablesKeeper, 'heard'> | undefined;
  /** A pass has ended. */
  ensure(): void;
  /** These rules are to be kept in iptables. */
  wantIptables(tables: readonly TableObject[]): void;
  /** Of those that are only told. */
  problems(): readonly Problem[];
  /** Of those without whose work pods do badly. */
  hindrances(): readonly Problem[];
}

/** Makes those that are wanted. */
export async function makeKeepers(surroundings: KeeperSurroundings): Promise<Keepers> {
  const hostPorts = keepHostPorts(surroundings.journal);
  const installer = await makeInstallerOf(surroundings);
  const leftovers = makeRulesKeeper(surroundings);
  const iptables = surroundings.settings.iptables ? await makeIptablesKeeper(surroundings) : undefined;
  return {
    hostPorts,
    iptables,
    ensure() {
      hostPorts.ensure();
      installer?.ensure();
      iptables?.ensure();
      leftovers.ensure();
    },
    wantIptables: (tables) => iptables?.want(tables),
    problems: () => [...(installer?.problems() ?? []), ...leftovers.problems()],
    hindrances: () => iptables?.problems() ?? [],
  };
}

async function makeInstallerOf(surroundings: KeeperSurroundings): Promise<CniInstaller | undefined> {
  const { cni } = surroundings.settings;
  if (cni === undefined) return undefined;
  const { makeInstaller } = await import('./cni-install.ts');
  return makeInstaller({ ...surroundings, cni });
}

function makeRulesKeeper(surroundings: KeeperSurroundings): FlanneldRulesKeeper {
  const { network, journal, log, agent } = surroundings;
  const networks = FAMILIES.flatMap((family) => networkFamily(network, family)?.network ?? []);
  const load = () => import('./leftovers/remove.ts');
  return new FlanneldRulesKeeper({
    monotonicMs: () => systemClock.monotonicMs(),
    isReady: () => agent()?.readiness().ready === true,
    find: async () => withoutOurs((await load()).findFlanneldRules(), surroundings),
    flanneld: async () => (await import('./cleanup/processes.ts')).findManagers().flanneld,
    remove: async (rules) => (await load()).removeFlanneldRules(rules, networks),
    onRemoved: (rules) => log.info('Removed what flanneld has left', { object: flanneldRulesName(rules) }),
    onProblem: (trouble) => journal.problem('leftovers', trouble),
  });
}

/** Chains that are kept in iptables have flanneld's names; those of the other kind of iptables are its leftovers. */
async function withoutOurs(
  found: readonly FlanneldRules[],
  { settings, network }: Pick<KeeperSurroundings, 'settings' | 'network'>,
): Promise<readonly FlanneldRules[]> {
  if (!settings.iptables || found.length === 0) return found;
  const { variantOf } = await import('./iptables/programs.ts');
  const variants = { 4: await variantOf(programName(4)), 6: await variantOf(programName(6)) };
  return found.filter(({ variant, family, chain }) => {
    const isWanted = chain.table === 'nat' ? settings.ipMasq : settings.forwardRules;
    return !isWanted || networkFamily(network, family) === undefined || variant !== variants[family];
  });
}

async function makeIptablesKeeper({ kernel, journal, agent }: KeeperSurroundings): Promise<IptablesKeeper> {
  const [{ IptablesKeeper }, { IptablesRules }] = await Promise.all([
    import('./iptables/keeper.ts'),
    import('./iptables/rules.ts'),
  ]);
  const rules = new IptablesRules();
  kernel.hearRules();
  return new IptablesKeeper({
    clock: systemClock,
    random: Math.random,
    look: (tables) => rules.look(tables),
    onReady: () => agent()?.look('rules are there in iptables'),
    onRepaired: (was) => journal.iptables(was),
    onProblem: (trouble) => journal.problem('iptables', trouble),
  });
}
