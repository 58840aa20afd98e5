/**
 * The outer half of the demo: runs the inner half as the first process of its own PID, mount and network
 * namespaces, so that whatever happens nothing outlives it, and clears its files away.
 *
 * util-linux makes the namespaces, because a user namespace can only be made by a process with one thread.
 *
 * @module
 */
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants as osConstants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../model/result.ts';
import { ownCommand } from './site.ts';

/** Says that the arguments behind it are for the inner half. */
const INSIDE = '@inside';

/** Ends the outer process, and with it everything. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The outer process's /proc, in which the inner half finds out what the outside calls it. */
const OUTER_PROC_FD = 3;

/** A Unix socket's path holds 107 bytes (`unix(7)`); what stands below the directory needs less than half. */
const DIRECTORY_LENGTH_MAX = 60;

/** Processes that are killed end at once; only one that hangs in the kernel could take so long. */
const END_TIMEOUT_MS = 5_000;

const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const AS_MAPPED_ROOT = ['--user', '--map-root-user'];

/**
 * What this machine's own CNI plugins have written down is none of the demo's, and where containerd or Podman has
 * made the directory only its owner may look into it: the plugin, which looks there, finds an empty one instead.
 */
const WITHOUT_MACHINES_PODS = [
  'sh',
  '-c',
  '[ ! -d /var/lib/cni ] || mount -t tmpfs -o mode=755 none /var/lib/cni; exec "$@"',
  'sh',
];

/** What the inner half has to know of the world outside. */
export interface Inside {
  /** Everything that it writes is below it; the outer half removes it. */
  readonly directory: string;
  /** Whether it is root only in a user namespace of its own. */
  readonly mapped: boolean;
  /** The outer process: a signal to it ends everything. */
  readonly outerPid: number;
  /** The inner process as it is called outside. */
  readonly pid: number;
  /** The arguments that the outer process was given. */
  readonly args: readonly string[];
}

/** What the inner half was told, or `undefined` if this process is not one. */
export function insideFrom(args: readonly string[]): Inside | undefined {
  const [mark, directory, mapped, outerPid, ...rest] = args;
  if (mark !== INSIDE || directory === undefined || process.pid !== 1) return undefined;
  const pid = Number(readlinkSync(`/proc/self/fd/${OUTER_PROC_FD}/self`));
  closeSync(OUTER_PROC_FD);
  writeFileSync(pidFile(directory), `${pid}`);
  return { directory, mapped: mapped === 'mapped', outerPid: Number(outerPid), pid, args: rest };
}

/** Notes the exit status that counts if the network, left up by `--keep`, is ended by a signal. */
export function noteKeptStatus(directory: string, status: number): void {
  writeFileSync(keptFile(directory), `${status}`);
}

/** Runs the inner half with the same arguments, and gives back the exit status. */
export async function runIsolated(args: readonly string[]): Promise<number> {
  const isolation = findIsolation();
  if (!isolation.ok) {
    process.stderr.write(`${isolation.error}\n`);
    return 1;
  }
  // Before there is anything to clear away. Handlers run no earlier than at the `await` below.
  let stoppedBy: (typeof SIGNALS)[number] | undefined;
  let insidePid: number | undefined;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      insidePid ??= findInside(directory, child);
      if (stoppedBy === undefined) endInside(insidePid, child);
      stoppedBy ??= signal;
    });
  }
  const directory = makeDirectory();
  const proc = openSync('/proc', constants.O_RDONLY | constants.O_DIRECTORY);
  const mapped = isolation.value.includes('--user') ? 'mapped' : 'root';
  const inner = ['demo', INSIDE, directory, mapped, `${process.pid}`, ...args];
  // The death signal covers the one way to end that runs no code of ours: SIGKILL.
  const command = ['setpriv', '--pdeathsig', 'KILL', ...isolation.value, '--'];
  command.push(...WITHOUT_MACHINES_PODS, ...ownCommand(), ...inner);
  const child = Bun.spawn(command, { stdio: ['ignore', 'inherit', 'inherit', proc] });
  closeSync(proc);
  await child.exited;
  await untilEnded(insidePid);
  const status = stoppedBy === undefined ? (child.exitCode ?? 1) : stoppedStatus(directory, stoppedBy);
  cleanUp(directory, stoppedBy === undefined && status === 1);
  return status;
}

/** Finds a way to make namespaces that this machine allows; or says in words why there is none. */
function findIsolation(): Result<readonly string[], string> {
  for (const tool of ['unshare', 'setpriv']) {
    if (Bun.which(tool) === null) return fail(`The demo needs '${tool}': install util-linux`);
  }
  const asMappedRoot = ['unshare', ...AS_MAPPED_ROOT, ...NAMESPACES];
  const asRoot = ['unshare', ...NAMESPACES];
  let reason = '';
  for (const command of process.getuid?.() === 0 ? [asRoot, asMappedRoot] : [asMappedRoot]) {
    const { exitCode, stderr } = Bun.spawnSync([...command, '--', 'true'], { stderr: 'pipe' });
    if (exitCode === 0) return ok(command);
    reason = stderr.toString().trim().split('\n').at(-1) ?? '';
  }
  return fail(`This user may not make namespaces (${reason}): ${remedy()}`);
}

/** Settings that forbid user namespaces, each with the value that does and one that does not. */
const FORBIDDING_SETTINGS = [
  { name: 'kernel.unprivileged_userns_clone', forbids: '0', allows: '1' },
  { name: 'kernel.apparmor_restrict_unprivileged_userns', forbids: '1', allows: '0' },
  { name: 'user.max_user_namespaces', forbids: '0', allows: '15000' },
  { name: 'user.max_net_namespaces', forbids: '0', allows: '15000' },
];

function remedy(): string {
  const forbidding = FORBIDDING_SETTINGS.filter(({ name, forbids }) => {
    return readOr(`/proc/sys/${name.replaceAll('.', '/')}`, '').trim() === forbids;
  });
  const allow = forbidding.map(({ name, allows }) => `${name}=${allows}`).join(' ');
  if (allow !== '') return `run it as root, or allow it with 'sysctl -w ${allow}'`;
  return 'run it as root, and in a container with CAP_SYS_ADMIN and CAP_NET_ADMIN (such as --privileged)';
}

function makeDirectory(): string {
  const parent = tmpdir().length <= DIRECTORY_LENGTH_MAX ? tmpdir() : '/tmp';
  return mkdtempSync(join(parent, 'flannelette-demo-'));
}

/**
 * The first process inside, as it is called here: it says so as soon as it runs; before that `unshare` has it as
 * its only child, if it has one yet.
 */
function findInside(directory: string, child: Bun.Subprocess): number | undefined {
  const told = readOr(pidFile(directory), '');
  const text = told === '' ? readOr(`/proc/${child.pid}/task/${child.pid}/children`, '') : told;
  return text === '' ? undefined : Number.parseInt(text, 10);
}

/** Kills the first process inside, with which the kernel kills all others before `unshare` sees its end. */
function endInside(pid: number | undefined, child: Bun.Subprocess): void {
  try {
    if (pid === undefined) child.kill('SIGKILL');
    else process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/**
 * Waits for the end of the first process inside. Usually it is gone when `unshare` has ended, but a terminal
 * that hangs up kills `unshare` first. It becomes a zombie only after all others inside have ended.
 */
async function untilEnded(pid: number | undefined): Promise<void> {
  const deadlineMs = performance.now() + END_TIMEOUT_MS;
  while (pid !== undefined && isRunning(pid) && performance.now() < deadlineMs) await Bun.sleep(1);
}

function isRunning(pid: number): boolean {
  const status = readOr(`/proc/${pid}/status`, '');
  return status !== '' && !/^State:\s+[ZX]/m.test(status);
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}

function stoppedStatus(directory: string, signal: (typeof SIGNALS)[number]): number {
  const kept = readOr(keptFile(directory), '');
  return kept === '' ? 128 + osConstants.signals[signal] : Number(kept);
}

/** Removes the directory, but leaves the agents' logs to whoever wants to know why it failed. */
function cleanUp(directory: string, failed: boolean): void {
  const hasLogs = existsSync(join(directory, 'node-1', 'agent.log'));
  if (failed && hasLogs) process.stderr.write(`The agents' logs are kept in ${directory}\n`);
  else rmSync(directory, { recursive: true, force: true });
}

function pidFile(directory: string): string {
  return join(directory, 'pid');
}

function keptFile(directory: string): string {
  return join(directory, 'kept');
}
