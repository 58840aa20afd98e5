/**
 * Where the cluster's programs come from: `KUBEBUILDER_ASSETS`, as envtest has it, else built by Go from the modules
 * that `test/kube/tool` pins, once for all clones of a user.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { lockFile } from '../../ffi/file-lock.ts';

const TOOL = join(import.meta.dir, 'tool');
const MODULE = 'k8s.io/kubernetes';

/** The programs that a cluster is started from. */
export interface Binaries {
  readonly apiserver: string;
  readonly etcd: string;
  readonly kubectl: string;
}

/** How each is built, the largest first: what that has compiled the others need not. */
const PACKAGES: Readonly<Record<string, string>> = {
  'kube-apiserver': `${MODULE}/cmd/kube-apiserver`,
  kubectl: `${MODULE}/cmd/kubectl`,
  etcd: 'go.etcd.io/etcd/server/v3',
};

const LOCK_POLL_MS = 200;
/** asm-generic/errno.h */
const EWOULDBLOCK = 11;

/** What is missing, in one line that needs no stack. */
export class BinariesMissing extends Error {}

/** The programs, if they are there. Throws {@link BinariesMissing} if not. */
export function findBinaries(): Binaries {
  const { KUBEBUILDER_ASSETS: assets } = process.env;
  if (assets !== undefined) return binariesIn(assets, 'KUBEBUILDER_ASSETS names');
  return binariesIn(cacheDirectory(), '`npm run test:kube` has not built it yet in');
}

/** Builds the programs unless they are there. What is going on is told to `say`, in parts of lines. */
export async function prepareBinaries(say: (text: string) => void): Promise<Binaries> {
  const { KUBEBUILDER_ASSETS: assets } = process.env;
  if (assets !== undefined || hasBinaries()) return findBinaries();
  const directory = cacheDirectory();
  if (Bun.which('go') === null) {
    throw new BinariesMissing(
      'The tests with Kubernetes need Go, to build kube-apiserver, kubectl and etcd, and there is no `go` on the ' +
        'PATH: install it, or name a directory that holds the three in KUBEBUILDER_ASSETS',
    );
  }
  const work = async () => {
    if (!hasBinaries()) await buildInto(directory, say);
  };
  await locked(dirname(directory), { work, say });
  return findBinaries();
}

/** The version that `go.mod` pins of the module that a package is in, such as `v1.36.3`. */
function versionOf(where: string): string {
  const manifest = readFileSync(join(TOOL, 'go.mod'), 'utf8');
  for (const [, module, version] of manifest.matchAll(/^\t(\S+) (v\S+)/gm)) {
    if (version !== undefined && (where === module || where.startsWith(`${module}/`))) return version;
  }
  throw new Error(`'${TOOL}/go.mod' requires no module that has ${where}`);
}

/** Outlives clones. Other modules, other directory. */
function cacheDirectory(): string {
  const sums = readFileSync(join(TOOL, 'go.sum'));
  const digest = createHash('sha256').update(sums).digest('hex').slice(0, 12);
  const { XDG_CACHE_HOME: caches = join(homedir(), '.cache') } = process.env;
  return join(caches, 'flannelette', `kube-${versionOf(MODULE)}-${digest}`);
}

function hasBinaries(): boolean {
  try {
    findBinaries();
    return true;
  } catch (error) {
    if (error instanceof BinariesMissing) return false;
    throw error;
  }
}

function binariesIn(directory: string, whose: string): Binaries {
  const find = (program: string) => {
    const path = join(directory, program);
    try {
      accessSync(path, constants.X_OK);
    } catch {
      throw new BinariesMissing(`There is no ${program} that can be run: ${whose} '${directory}'`);
    }
    return path;
  };
  return { apiserver: find('kube-apiserver'), etcd: find('etcd'), kubectl: find('kubectl') };
}

/** Does the work while no other process does any in this directory. The lock ends with its holder. */
async function locked(
  directory: string,
  { work, say }: { work: () => Promise<void>; say: (text: string) => void },
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    let outcome = lockFile(fd);
    if (outcome === -EWOULDBLOCK) say('Another process builds Kubernetes, waiting for it\n');
    for (; outcome === -EWOULDBLOCK; outcome = lockFile(fd)) await Bun.sleep(LOCK_POLL_MS);
    if (outcome !== 0) throw new BinariesMissing(`'${directory}' cannot be locked: errno ${-outcome}`);
    await work();
  } finally {
    closeSync(fd);
  }
}

/** Builds beside the place where they are looked for, so that they are there all three or not at all. */
async function buildInto(directory: string, say: (text: string) => void): Promise<void> {
  const half = `${directory}.half`;
  rmSync(half, { recursive: true, force: true });
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(half);
  await step('Fetching the modules of Kubernetes', ['go', 'mod', 'download'], say);
  for (const [name, where] of Object.entries(PACKAGES)) {
    await step(`Building ${name} ${versionOf(where)}`, buildCommand(where, join(half, name)), say);
  }
  renameSync(half, directory);
}

/** Small, the same everywhere, and told its version: an apiserver of no version takes itself for an old one. */
function buildCommand(where: string, target: string): string[] {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)\./.exec(versionOf(MODULE)) ?? [];
  const facts = { gitVersion: versionOf(MODULE), gitMajor: major, gitMinor: minor };
  const flags = Object.entries(facts).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  );
  const nice = ['nice', '-n', '10', 'go', 'build', `-p=${availableParallelism()}`, '-trimpath'];
  return [...nice, `-ldflags=-s -w ${flags.join(' ')}`, '-o', target, where];
}

/** One line of progress, and what the command said if it failed. */
async function step(title: string, command: readonly string[], say: (text: string) => void): Promise<void> {
  say(`${title} ...`);
  const startMs = performance.now();
  const child = Bun.spawn([...command], {
    cwd: TOOL,
    env: { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = await child.stderr.text();
  if ((await child.exited) !== 0) {
    say(' failed\n');
    throw new BinariesMissing(`${said.trimEnd()}\nCommand failed in '${TOOL}': ${command.join(' ')}`);
  }
  say(` ${((performance.now() - startMs) / 1000).toFixed(1)} s\n`);
}
