/**
 * Makes a fresh clone workable, in plain Node because nothing else is there yet: installs the npm packages,
 * and sees to it that the pinned Bun runs.
 *
 *     node arm/prepare.mjs               the npm packages and Bun
 *     node arm/prepare.mjs --build       also dist/flannelette, if a source is newer
 *     node arm/prepare.mjs --witnesses   also the Debian packages that the tests look at the kernel with
 *
 * Progress goes to standard error, one line a step; when there is nothing to do it is silent and quick.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BUN = join(ROOT, 'node_modules/.bin/bun');
const EXECUTABLE = join(ROOT, 'dist/flannelette');

/** What goes into the executable: it is built again when one of these is newer. */
const SOURCES = ['src', 'ffi', 'k3s', 'arm', 'package.json', 'package-lock.json', 'tsconfig.json'];

/** The Debian packages that the tests' witnesses come from, each with a command that shows it is there. */
const WITNESSES = {
  iproute2: 'ip',
  procps: 'sysctl',
  nftables: 'nft',
  iptables: 'iptables-nft',
  tcpdump: 'tcpdump',
  ethtool: 'ethtool',
  strace: 'strace',
  faketime: 'faketime',
  // The reference plugins stand beside the folders of the search path.
  'containernetworking-plugins': '../lib/cni/loopback',
};

/**
 * Programs that come with a server that would be started, and with much else: of each Debian package only this file is
 * taken, which needs no root.
 */
const FETCHED = [
  { command: 'promtool', package: 'prometheus' },
  { command: 'etcd', package: 'etcd-server' },
  { command: 'radvd', package: 'radvd', folder: 'usr/sbin' },
];

/** What keeps apt from asking. */
const QUIET = { DEBIAN_FRONTEND: 'noninteractive' };

/** npm on a slow card takes minutes; whoever waits this long waits for something that hangs. */
const LOCK_TIMEOUT_MS = 20 * 60_000;
const LOCK_POLL_MS = 200;

/** A failure whose message is all that a person needs. */
class Refusal extends Error {}

/**
 * Runs a step behind one line of progress; what it printed is shown only if it failed.
 *
 * @param {string} title such as `Installing the npm packages`
 * @param {string[]} command the program and its arguments
 * @param {NodeJS.ProcessEnv} [extraEnv]
 */
function step(title, [program, ...args], extraEnv = {}) {
  process.stderr.write(`${title} ...`);
  const startedAtMs = Date.now();
  const run = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...extraEnv },
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (run.status === 0) {
    process.stderr.write(` ${((Date.now() - startedAtMs) / 1000).toFixed(1)} s\n`);
    return;
  }
  process.stderr.write(' failed\n');
  const output = run.error === undefined ? `${run.stdout}${run.stderr}` : String(run.error);
  throw new Refusal(`${output.trimEnd()}\nCommand failed: ${[program, ...args].join(' ')}`);
}

/** When a file was last written, or 0 if there is none. */
function writtenAtMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The newest time below a path. A directory's own time tells of files that were removed. */
function newestMs(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

/** Whether the packages are those of the lock file. npm writes its own copy of it last. */
function packagesAreCurrent() {
  const installedAtMs = writtenAtMs(join(ROOT, 'node_modules/.package-lock.json'));
  return installedAtMs > 0 && installedAtMs >= writtenAtMs(join(ROOT, 'package-lock.json'));
}

/** Install scripts are not run: none is needed, and newer npm asks before it runs one. */
function installPackages() {
  const npm = process.env.npm_execpath;
  const start = npm?.endsWith('npm-cli.js') ? [process.execPath, npm] : ['npm'];
  step('Installing the npm packages', [...start, 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
}

/** Whether `bun` is the version that package.json pins, and runs. A broken one must not pass for a slow one. */
function bunRuns() {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const run = spawnSync(BUN, ['--version'], { encoding: 'utf8' });
  return run.status === 0 && run.stdout.trim() === manifest.devDependencies.bun;
}

/**
 * Puts Bun where its package's install script would: the `bun` package holds a placeholder, and npm chose
 * the platform's package beside it. The script itself is the last resort, since it may go to the network.
 */
function placeBun() {
  const placeholder = join(ROOT, 'node_modules/bun/bin/bun.exe');
  const platforms = join(ROOT, 'node_modules/@oven');
  for (const name of existsSync(platforms) ? readdirSync(platforms) : []) {
    const binary = join(platforms, name, 'bin/bun');
    if (!existsSync(binary)) continue;
    rmSync(placeholder, { force: true });
    try {
      linkSync(binary, placeholder);
    } catch {
      copyFileSync(binary, placeholder);
    }
    if (bunRuns()) return;
  }
  step('Placing Bun', [process.execPath, 'node_modules/bun/install.js']);
  if (!bunRuns()) {
    throw new Refusal(
      `Bun does not run on this machine (${process.platform} ${process.arch}): '${BUN} --version'`,
    );
  }
}

/** Packages and Bun, made right where they are not. */
function preparePackages() {
  if (!packagesAreCurrent()) installPackages();
  if (!bunRuns()) placeBun();
}

/** Whether the executable is newer than everything that goes into it. */
function executableIsCurrent() {
  const builtAtMs = writtenAtMs(EXECUTABLE);
  return builtAtMs > 0 && SOURCES.every((source) => newestMs(join(ROOT, source)) <= builtAtMs);
}

function buildExecutable() {
  step('Building dist/flannelette', [BUN, 'arm/build.ts', '--host-only']);
}

/** Whether a command can be found, also where an ordinary user's PATH does not look. */
function hasCommand(command) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Where a program is put that is not installed. */
function placeOf({ command }) {
  return join(ROOT, '.cache', command);
}

/** The programs that are neither installed nor fetched yet. */
function missingPrograms() {
  return FETCHED.filter((each) => !hasCommand(each.command) && !existsSync(placeOf(each)));
}

/** Takes a program out of its package. */
function fetchProgram(each) {
  const { command, package: name, folder = 'usr/bin' } = each;
  if (!hasCommand('apt-get')) throw new Refusal(`The tests need ${command}, of ${name}`);
  const fetch = `apt-get download -q ${name} && dpkg-deb --fsys-tarfile *.deb | tar -x ./${folder}/${command}`;
  const place = mkdtempSync(join(ROOT, `.cache/${command}-`));
  try {
    withFreshLists(() => step(`Fetching ${command}`, ['sh', '-c', `cd "$0" && ${fetch}`, place]));
    renameSync(join(place, folder, command), placeOf(each));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** The witnesses' packages that are not installed. */
function missingWitnesses() {
  return Object.entries(WITNESSES).flatMap(([name, command]) => (hasCommand(command) ? [] : [name]));
}

/** Installs what is missing, or says how to. */
function installWitnesses() {
  const missing = missingWitnesses();
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...missing];
  if (!hasCommand('apt-get')) {
    const commands = missing.map((name) => WITNESSES[name]).join(', ');
    throw new Refusal(`The tests need these commands, which are not installed: ${commands}`);
  }
  if (process.getuid?.() !== 0) {
    throw new Refusal(
      `The tests need Debian packages that are not installed. As root, run:\n  apt-get update && ${install.join(' ')}`,
    );
  }
  const patient = [...install, '-o', 'DPkg::Lock::Timeout=300'];
  withFreshLists(() => step(`Installing ${missing.join(', ')}`, patient, QUIET));
}

/** Tries once more if the package lists are old or were never fetched, which is how a container image comes. */
function withFreshLists(work) {
  try {
    work();
  } catch (error) {
    if (process.getuid?.() !== 0) throw error;
    step('Updating the package lists', ['apt-get', 'update', '-qq'], QUIET);
    work();
  }
}

/** Whether the process that made a lock is gone, so that the lock is nobody's. */
function lockIsStale(lock) {
  let pid;
  try {
    pid = Number(readFileSync(join(lock, 'pid'), 'utf8'));
  } catch {
    // Just made and not yet written, or just removed: only a lock that stays like this is stale.
    return Date.now() - writtenAtMs(lock) > 10_000;
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** Takes the lock directory: making a directory either succeeds or does not, for one process at a time. */
function takeLock(lock) {
  mkdirSync(dirname(lock), { recursive: true });
  const deadlineMs = Date.now() + LOCK_TIMEOUT_MS;
  for (;;) {
    try {
      mkdirSync(lock);
      writeFileSync(join(lock, 'pid'), String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw new Refusal(`Cannot make '${lock}': ${error.message}`);
    }
    if (lockIsStale(lock)) rmSync(lock, { recursive: true, force: true });
    else if (Date.now() > deadlineMs) throw new Refusal(`Another preparation holds '${lock}' for too long`);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
}

/** Does what `needed` says, unless another process did it while this one waited for the lock. */
function once(needed, work) {
  if (!needed()) return;
  const lock = join(ROOT, '.cache/prepare.lock');
  takeLock(lock);
  try {
    if (needed()) work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

try {
  const options = new Set(process.argv.slice(2));
  once(() => !packagesAreCurrent() || !bunRuns(), preparePackages);
  if (options.has('--witnesses')) {
    once(() => missingWitnesses().length > 0, installWitnesses);
    once(
      () => missingPrograms().length > 0,
      () => missingPrograms().forEach(fetchProgram),
    );
  }
  if (options.has('--build')) once(() => !executableIsCurrent(), buildExecutable);
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
