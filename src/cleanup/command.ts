/**
 * `flannelette cleanup`: takes flannelette off the node.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { lockFile } from '../../ffi/file-lock.ts';
import {
  cleanupJson,
  type DoneCleanup,
  formatDone,
  formatPlanned,
  type PlannedCleanup,
} from '../cli/cleanup/page.ts';
import { CLEANUP_USAGE } from '../cli/cleanup/usage.ts';
import { styleOf, wantsColour } from '../cli/style.ts';
import { systemClock } from '../clock.ts';
import { type CleanupSettings, parseCleanupSettings } from '../config/cleanup-settings.ts';
import { describeConfigError } from '../config/error.ts';
import { KernelAccess } from '../kernel-access.ts';
import { findFlanneldRules, removeFlanneldRules } from '../leftovers/remove.ts';
import type { Ip } from '../model/ip.ts';
import { printable } from '../model/printable.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { decide, type Removal, stepsOf } from '../removal/decide.ts';
import type { Findings, KernelFindings, Left } from '../removal/findings.ts';
import { lookForLeftovers } from '../removal/look.ts';
import type { ObjectStep, Outcome } from '../removal/step.ts';
import { aliveHere, thisHolder } from '../store/sqlite/holder.ts';
import { StateLock } from '../store/state-lock.ts';
import { namedStore } from './leases.ts';
import { perform } from './perform.ts';
import { askSocket, type Presence } from './presence.ts';
import { findManagers, type Managers } from './processes.ts';
import { devicesAbove, type Known, nodeMarks, surveyFiles } from './survey.ts';

/** Exit statuses, for scripts. */
const EXIT = { clean: 0, refused: 1, left: 3 } as const;

/**
 * Runs `flannelette cleanup` with what follows the command's name.
 *
 * @returns the exit status: 0 if nothing of ours is left, 3 if something is, 1 if it was refused
 */
export async function cleanupCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseCleanupSettings({ argv, env: process.env, hostName: hostname(), cwd: process.cwd() });
  if (!parsed.ok) return refuse(describeConfigError(parsed.error));
  if (parsed.value.kind === 'help') {
    console.log(CLEANUP_USAGE.trimEnd());
    return EXIT.clean;
  }
  const kernel = KernelAccess.open(systemClock);
  if (!kernel.ok) return refuse(kernel.error.message);
  try {
    return await cleanUp(parsed.value.settings, kernel.value);
  } finally {
    kernel.value.close();
  }
}

async function cleanUp(settings: CleanupSettings, kernel: KernelAccess): Promise<number> {
  const { dryRun, adopt, nodeName } = settings;
  const presence = await askSocket(settings.socketPath);
  const managers = findManagers();
  const known = agentOf(presence, managers) ?? (dryRun ? undefined : stateHolder(settings));
  const rival = adopt ? managers.flanneld : undefined;
  const refusal = dryRun ? undefined : whyNot({ agent: known, flanneld: rival, kernel });
  if (refusal !== undefined) return refuse(refusal);
  const store = await namedStore(settings);
  const leases = await store?.survey(nodeMarks(settings, localAddresses(kernel)));
  const agent = known ?? leaseHolder(settings, leases);
  if (agent !== undefined && !dryRun) return refuse(inTheWay(agent));
  const found = lookAtKernel(kernel);
  if (!found.ok) return refuse(found.error.message);
  const flanneld = managers.flanneld === undefined ? undefined : `flanneld (process ${managers.flanneld})`;
  const files = surveyFiles(settings, { socket: presence.socket, store, leases, flanneld });
  const iptables = findFlanneldRules();
  const judge = (now: KernelFindings): Removal => {
    const above = new Map(now.links.map(({ name }) => [name, devicesAbove(name)]));
    return decide({ ...files, kernel: now, iptables, above } satisfies Findings, {
      adopt,
      iptables: settings.iptables,
    });
  };
  const removal = judge(found.value);
  const left = [...removal.left, ...(kernel.mayChange() ? [] : [UNSEEN])];
  if (dryRun) {
    await report({ node: nodeName, steps: stepsOf(removal), left, agent }, settings);
    return statusOf(left, []);
  }
  const outcomes = await perform(removal, {
    target: kernel.target,
    remaining: () => remaining(kernel, judge),
    removeIptables: (rules) => removeFlanneldRules(rules),
    release: async ({ node }) => (await store?.release(node)) ?? ok(undefined),
  });
  await report({ node: nodeName, outcomes, left }, settings);
  return statusOf(left, outcomes);
}

function inTheWay(agent: string): string {
  return `${agent} and would put everything back: stop it first, for instance with 'systemctl disable --now flannelette'`;
}

interface Obstacles {
  /** Who would put everything back, in words. */
  readonly agent: string | undefined;
  /** The process whose network would be taken away. */
  readonly flanneld: number | undefined;
  readonly kernel: KernelAccess;
}

/** Why nothing may be begun. */
function whyNot({ agent, flanneld, kernel }: Obstacles): string | undefined {
  if (agent !== undefined) return inTheWay(agent);
  if (flanneld !== undefined) {
    return `flanneld runs here (process ${flanneld}), and --adopt would take its network away: stop it first, or do without --adopt`;
  }
  return kernel.mayChange() ? undefined : NOT_PRIVILEGED;
}

function localAddresses(kernel: KernelAccess): ReadonlySet<Ip> {
  const host = kernel.readHost(undefined);
  return new Set(host.ok ? host.value.addresses.map(({ ip }) => ip) : []);
}

/** A reader that has gone (`| head`) is no reason to fail. */
async function report(cleanup: PlannedCleanup | DoneCleanup, { json }: CleanupSettings): Promise<void> {
  const style = styleOf(wantsColour(process.env, isatty(1)));
  const page = () => ('steps' in cleanup ? formatPlanned(cleanup) : formatDone(cleanup, style));
  await Bun.write(Bun.stdout, json ? cleanupJson(cleanup) : page()).catch(() => 0);
}

function statusOf(left: readonly Left[], outcomes: readonly Outcome[]): number {
  const isLeft =
    left.some(({ whose }) => whose !== 'others') || outcomes.some(({ error }) => error !== undefined);
  return isLeft ? EXIT.left : EXIT.clean;
}

/** Who would put everything back, in words; `undefined` if nobody does as far as can be told. */
function agentOf({ socket, pid }: Presence, { agent }: Managers): string | undefined {
  const process = pid ?? agent;
  if (process !== undefined) return `An agent runs here (process ${process})`;
  return socket.kind === 'answered'
    ? `An agent or another program has the socket '${socket.path}'`
    : undefined;
}

/** Who keeps the state directory; if nobody does, it is this process's until it ends. */
function stateHolder({ stateDir, nodeName }: CleanupSettings): string | undefined {
  if (!existsSync(stateDir)) return undefined;
  return new StateLock({ directory: stateDir, nodeName, lockFile }).problem()?.message;
}

/** The agent that has taken this node's lease and runs, maybe in a container with a network of its own. */
function leaseHolder({ nodeName }: CleanupSettings, leases: Known['leases']): string | undefined {
  const holder = leases?.ok === true ? leases.value.own : undefined;
  const { pid, bootId } = holder ?? {};
  if (pid === undefined || bootId === undefined || !aliveHere(thisHolder())({ pid, bootId }))
    return undefined;
  return `An agent (process ${pid}) holds the lease of node ${nodeName}`;
}

const NOT_PRIVILEGED =
  'The kernel does not let this process change the network: run it as root or with CAP_NET_ADMIN (--dry-run needs neither)';

const UNSEEN: Left = {
  what: 'traffic rules',
  why: 'the kernel shows them only to root, or with CAP_NET_ADMIN',
  whose: 'maybe',
};

function lookAtKernel(kernel: KernelAccess): Result<KernelFindings, { readonly message: string }> {
  const host = kernel.readHost(undefined);
  if (!host.ok) return fail(host.error);
  return lookForLeftovers(
    kernel.target,
    host.value.links.map(({ name }) => name),
  );
}

function remaining(
  kernel: KernelAccess,
  judge: (now: KernelFindings) => Removal,
): Result<readonly ObjectStep[], { readonly message: string }> {
  const found = lookAtKernel(kernel);
  return found.ok ? ok(judge(found.value).kernel) : found;
}

function refuse(reason: string): number {
  console.error(printable(reason));
  return EXIT.refused;
}
