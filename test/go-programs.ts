/**
 * Programs that Go builds from the modules that a folder's `go.mod` pins, once for all clones of a user.
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
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { lockFile } from '../ffi/file-lock.ts';

const LOCK_POLL_MS = 200;
/** asm-generic/errno.h */
const EWOULDBLOCK = 11;

/** What is missing, in one line that needs no stack. */
export class BinariesMissing extends Error {}

/** Runs a preparation: what it says goes to standard error, and what is missing is one line and status 1. */
export async function runPreparation(work: (say: (text: string) => void) => Promise<unknown>): Promise<void> {
  try {
    await work((text) => process.stderr.write(text));
  } catch (error) {
    if (!(error instanceof BinariesMissing)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

/** What is built, and out of what. */
export interface GoSource {
  /** Has go.mod and go.sum, and maybe programs of its own. */
  readonly folder: string;
  /** Names the cache, with the version of `module`. */
  readonly name: string;
  /** The module whose version says which one it all is. */
  readonly module: string;
  /** What it is called in sentences, such as `Kubernetes`. */
  readonly title: string;
  /** The package of each program, the largest first: what that has compiled the others need not. */
  readonly packages: Readonly<Record<string, string>>;
  /** What the linker is told besides; nothing if absent. */
  readonly linkerFlags?: string;
  /** One line for who has no Go. */
  readonly withoutGo: string;
}

/** The version that `go.mod` pins of the module that a package is in, such as `v1.36.3`. */
export function pinnedVersion(folder: string, where: string): string {
  const manifest = readFileSync(join(folder, 'go.mod'), 'utf8');
  for (const [, module, version] of manifest.matchAll(/^\t(\S+) (v\S+)/gm)) {
    if (version !== undefined && (where === module || where.startsWith(`${module}/`))) return version;
  }
  throw new Error(`'${folder}/go.mod' requires no module that has ${where}`);
}

/** Where the programs are once they are built. Outlives clones. Other sources, other directory. */
export function goCache({ folder, name, module }: GoSource): string {
  const hash = createHash('sha256');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const inputs = files.filter((file) => file === 'go.sum' || file.endsWith('.go'));
  for (const input of inputs.sort()) hash.update(readFileSync(join(folder, input)));
  const digest = hash.digest('hex').slice(0, 12);
  const { XDG_CACHE_HOME: caches = join(homedir(), '.cache') } = process.env;
  return join(caches, 'flannelette', `${name}-${pinnedVersion(folder, module)}-${digest}`);
}

/** The path of a program in a directory. `whose` ends the sentence of the {@link BinariesMissing} that it throws. */
export function programIn(directory: string, { program, whose }: { program: string; whose: string }): string {
  const path = join(directory, program);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new BinariesMissing(`There is no ${program} that can be run: ${whose} '${directory}'`);
  }
  return path;
}

/** Builds the programs unless they are there. What is going on is told to `say`, in parts of lines. */
export async function buildGoPrograms(source: GoSource, say: (text: string) => void): Promise<void> {
  const directory = goCache(source);
  const isThere = () => Object.keys(source.packages).every((program) => has(directory, program));
  if (isThere()) return;
  if (Bun.which('go') === null) throw new BinariesMissing(source.withoutGo);
  mkdirSync(dirname(directory), { recursive: true });
  const fd = openSync(dirname(directory), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    // The lock ends with its holder.
    let outcome = lockFile(fd);
    if (outcome === -EWOULDBLOCK) say(`Another process builds ${source.title}, waiting for it\n`);
    for (; outcome === -EWOULDBLOCK; outcome = lockFile(fd)) await Bun.sleep(LOCK_POLL_MS);
    if (outcome !== 0) throw new BinariesMissing(`'${directory}' cannot be locked: errno ${-outcome}`);
    if (!isThere()) await buildInto(directory, { source, say });
  } finally {
    closeSync(fd);
  }
}

function has(directory: string, program: string): boolean {
  try {
    programIn(directory, { program, whose: '' });
    return true;
  } catch (error) {
    if (error instanceof BinariesMissing) return false;
    throw error;
  }
}

interface Build {
  readonly source: GoSource;
  readonly say: (text: string) => void;
}

/** Builds beside the place where they are looked for, so that they are there all or not at all. */
async function buildInto(directory: string, build: Build): Promise<void> {
  const { folder, title, packages, linkerFlags = '' } = build.source;
  const half = `${directory}.half`;
  rmSync(half, { recursive: true, force: true });
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(half);
  await step(`Fetching the modules of ${title}`, ['go', 'mod', 'download'], build);
  const nice = ['nice', '-n', '10', 'go', 'build', `-p=${availableParallelism()}`, '-trimpath'];
  for (const [name, where] of Object.entries(packages)) {
    const version = where.startsWith('.') ? '' : ` ${pinnedVersion(folder, where)}`;
    const flags = `-ldflags=-s -w ${linkerFlags}`.trimEnd();
    await step(`Building ${name}${version}`, [...nice, flags, '-o', join(half, name), where], build);
  }
  renameSync(half, directory);
}

/** One line of progress, and what the command said if it failed. */
async function step(title: string, command: readonly string[], { source, say }: Build): Promise<void> {
  say(`${title} ...`);
  const startMs = performance.now();
  const child = Bun.spawn([...command], {
    cwd: source.folder,
    env: { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = await child.stderr.text();
  if ((await child.exited) !== 0) {
    say(' failed\n');
    throw new BinariesMissing(
      `${said.trimEnd()}\nCommand failed in '${source.folder}': ${command.join(' ')}`,
    );
  }
  say(` ${((performance.now() - startMs) / 1000).toFixed(1)} s\n`);
}
