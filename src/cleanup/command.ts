/**
 * `flannelette cleanup`: takes flannelette off the node.
 *
 * @module
 */
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { cleanupJson, formatDone, formatPlanned, processName } from '../cli/cleanup/page.ts';
import { CLEANUP_USAGE } from '../cli/cleanup/usage.ts';
import { styleOf, wantsColour } from '../cli/style.ts';
import { systemClock } from '../clock.ts';
import { type CleanupSettings, parseCleanupSettings } from '../config/cleanup-settings.ts';
import { describeConfigError } from '../config/error.ts';
import { KernelAccess } from '../kernel-access.ts';
import { printable } from '../model/printable.ts';
import type { Problem } from '../model/problem.ts';
import { fail, ok, type Result } from '../model/result.ts';
import { decide, type Removal, stepsOf } from '../removal/decide.ts';
import type { Findings, KernelFindings, Left } from '../removal/findings.ts';
import { lookForLeftovers } from '../removal/look.ts';
import type { ObjectStep } from '../removal/step.ts';
import { type LeaseSurvey, mayHaveLeases, releaseLease, surveyLeases } from '../store/sqlite/release.ts';
import { perform } from './perform.ts';
import { askSocket, livingHolder, type Presence } from './presence.ts';
import { surveyFiles } from './survey.ts';

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
  const { dryRun, adopt, json, leaseDb, nodeName } = settings;
  const waiting = { clock: systemClock, random: Math.random };
  const presence = await askSocket(settings.socketPath);
  const leases =
    leaseDb !== undefined && mayHaveLeases(leaseDb)
      ? await surveyLeases(leaseDb, nodeName, waiting)
      : undefined;
  const agentPid = agentOf(presence, leases);
  if (!dryRun) {
    if (agentPid !== undefined) return refuse(agentRuns(agentPid));
    if (!kernel.mayChange()) return refuse(NOT_PRIVILEGED);
  }
  const found = lookAtKernel(kernel);
  if (!found.ok) return refuse(found.error.message);
  const files = surveyFiles(settings, { socket: presence.socket, leases });
  const judge = (now: KernelFindings): Removal =>
    decide({ ...files, kernel: now } satisfies Findings, { adopt });
  const removal = judge(found.value);
  const { left } = removal;
  if (dryRun) {
    const planned = { node: nodeName, steps: stepsOf(removal), left, agentPid };
    await print(json ? cleanupJson(planned) : formatPlanned(planned));
    return statusOf(left, 0);
  }
  const outcomes = await perform(removal, {
    target: kernel.target,
    remaining: () => remaining(kernel, judge),
    release: ({ database, node }) => releaseLease(database, node, waiting),
  });
  const done = { node: nodeName, outcomes, left };
  const style = styleOf(wantsColour(process.env, isatty(1)));
  await print(json ? cleanupJson(done) : formatDone(done, style));
  return statusOf(left, outcomes.filter(({ error }) => error !== undefined).length);
}

function statusOf(left: readonly Left[], failed: number): number {
  return failed > 0 || left.some(({ whose }) => whose !== 'others') ? EXIT.left : EXIT.clean;
}

/** The agent's process, 0 if it does not tell; `undefined` if none runs as far as can be told. */
function agentOf(
  { socket, pid }: Presence,
  leases: Result<LeaseSurvey, Problem> | undefined,
): number | undefined {
  if (socket.kind === 'answered') return pid ?? 0;
  return leases?.ok === true ? livingHolder(leases.value.own) : undefined;
}

function agentRuns(pid: number): string {
  return `An agent runs here (${processName(pid)}) and would put everything back: stop it first, for instance with 'systemctl disable --now flannelette'`;
}

const NOT_PRIVILEGED =
  'The kernel does not let this process change the network: run it as root or with CAP_NET_ADMIN (--dry-run needs neither)';

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

/** A reader that has gone (`| head`) is no reason to fail. */
async function print(text: string): Promise<void> {
  await Bun.write(Bun.stdout, text).catch(() => 0);
}
