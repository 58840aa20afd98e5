/**
 * The Bun runtimes that executables are made from: this machine's own from `node_modules`, another
 * machine's from the npm registry, checked against the hash that package-lock.json records.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What an executable is built for. */
export interface Target {
  /** As in the name of the file in `dist`, and in Bun's own names of targets. */
  readonly name: 'linux-x64' | 'linux-arm64';
  /** As in `process.arch`. */
  readonly arch: string;
  /** The npm package that holds Bun for it. */
  readonly runtimePackage: string;
  /** `e_machine` of the ELF header (linux/elf-em.h). */
  readonly elfMachine: number;
}

/** The machines we build for, all with glibc. */
export const TARGETS: readonly Target[] = [
  { name: 'linux-x64', arch: 'x64', runtimePackage: '@oven/bun-linux-x64', elfMachine: 62 },
  { name: 'linux-arm64', arch: 'arm64', runtimePackage: '@oven/bun-linux-aarch64', elfMachine: 183 },
];

const ROOT = join(import.meta.dir, '..');
const MODULES = join(ROOT, 'node_modules');
const CACHE = join(MODULES, '.cache/flannelette');

/**
 * The target's runtime, as its package holds it.
 *
 * @throws if it cannot be had, or is not what the lock file says, or is for another machine
 */
export function readRuntime(target: Target): Buffer {
  const image = readFileSync(findRuntime(target));
  // linux/elf.h: e_machine is the 16-bit word at 18. A wrong one would make an executable that runs nowhere.
  if (image.readUInt16LE(18) !== target.elfMachine) {
    throw new Error(`The runtime of '${target.runtimePackage}' is not for ${target.name}`);
  }
  return image;
}

/** npm installs the runtime of this machine only; where its install script ran, it was moved to `bun`. */
function findRuntime(target: Target): string {
  const places = [join(MODULES, target.runtimePackage, 'bin/bun')];
  if (target.arch === process.arch) places.push(join(MODULES, 'bun/bin/bun.exe'));
  return places.find((place) => existsSync(place)) ?? downloadRuntime(target);
}

/** Fetches another machine's runtime once, through npm and with the hash that `npm ci` would check. */
function downloadRuntime(target: Target): string {
  const cached = join(CACHE, `bun-${Bun.version}-${target.name}`);
  const binary = join(cached, 'package/bin/bun');
  if (existsSync(binary)) return binary;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'download-'));
  try {
    const { version, integrity } = lockedPackage(target.runtimePackage);
    run(['npm', 'pack', `${target.runtimePackage}@${version}`, '--silent', '--pack-destination', folder]);
    const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'missing.tgz');
    const hash = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
    if (hash !== integrity) {
      throw new Error(`'${target.runtimePackage}' is not what package-lock.json records: ${hash}`);
    }
    run(['tar', '-xzf', tarball, '-C', folder, 'package/bin/bun']);
    rmSync(tarball);
    renameSync(folder, cached);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return binary;
}

/** What the lock file pins: it lists the packages of all platforms, also of those not installed here. */
function lockedPackage(name: string): { version: string; integrity: string } {
  const lock: unknown = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const version = textAt(lock, ['packages', `node_modules/${name}`, 'version']);
  const integrity = textAt(lock, ['packages', `node_modules/${name}`, 'integrity']);
  if (version === Bun.version) return { version, integrity };
  throw new Error(`package-lock.json has '${name}' ${version}, but this is Bun ${Bun.version}: run 'npm ci'`);
}

/**
 * The text at a path of a JSON document.
 *
 * @throws if there is none
 */
export function textAt(json: unknown, path: readonly string[]): string {
  let value = json;
  for (const key of path) {
    value =
      typeof value === 'object' && value !== null
        ? Object.entries(value).find(([k]) => k === key)?.[1]
        : undefined;
  }
  if (typeof value !== 'string') throw new Error(`No text at '${path.join('.')}'`);
  return value;
}

/**
 * Runs a command of the build and gives back what it printed.
 *
 * @throws with what it said, if it fails
 */
export function run(command: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: ROOT, stdin: 'ignore' });
  if (exitCode === 0) return stdout.toString().trim();
  throw new Error(`'${command.join(' ')}' ended with status ${exitCode}: ${stdout}${stderr}`);
}
