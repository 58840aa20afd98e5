/**
 * The Bun runtimes that executables are made from: this machine's own from `node_modules`, another
 * machine's from the npm registry, checked against the hash that package-lock.json records.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { harden } from './harden.ts';

/** What an executable is built for. */
export interface Target {
  /** As in the name of the file in `dist`. */
  readonly name: string;
  /** As in `process.arch`. */
  readonly arch: string;
  /** The npm package that holds Bun for it. */
  readonly runtimePackage: string;
  /** `e_machine` of the ELF header (linux/elf-em.h). */
  readonly elfMachine: number;
}

/** Debian and everything else with glibc, which is what flannel's own images and most nodes have. */
export const TARGETS: readonly Target[] = [
  { name: 'linux-x64', arch: 'x64', runtimePackage: '@oven/bun-linux-x64', elfMachine: 62 },
  { name: 'linux-arm64', arch: 'arm64', runtimePackage: '@oven/bun-linux-aarch64', elfMachine: 183 },
];

const ROOT = join(import.meta.dir, '..');
const CACHE = join(ROOT, 'node_modules/.cache/flannelette');

/**
 * The path of the target's hardened runtime.
 *
 * @throws if it cannot be had, or is not what the lock file says, or is not the Bun we know
 */
export function hardenedRuntime(target: Target): string {
  const image = readFileSync(plainRuntime(target));
  // linux/elf.h: e_machine is the 16-bit word at 18. A wrong one would make an executable that runs nowhere.
  if (image.readUInt16LE(18) !== target.elfMachine) {
    throw new Error(`The Bun of ${target.runtimePackage} is not for ${target.name}`);
  }
  harden(image);
  return cached(`bun-${Bun.version}-${target.name}-hardened`, (path) => {
    Bun.spawnSync(['install', '-m', '755', '/dev/null', path]);
    require('node:fs').writeFileSync(path, image);
  });
}
