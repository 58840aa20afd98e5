/**
 * Builds the executables: `dist/flannelette-linux-x64`, `dist/flannelette-linux-arm64`, and
 * `dist/flannelette` for this machine.
 *
 *     bun arm/build.ts               all three
 *     bun arm/build.ts --host-only   only dist/flannelette
 *
 * The same sources and commit give the same bytes.
 *
 * @module
 */
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { BUNDLE, BYTECODE } from './bundle.ts';
import { harden } from './harden.ts';
import { readRuntime, run, TARGETS, type Target, textAt } from './runtime.ts';

const ROOT = join(import.meta.dir, '..');
const DIST = join(ROOT, 'dist');

/**
 * Memory and speed in balance: an agent works for half a second and then waits for days. `--smol` lets the heap
 * grow in smaller steps, and the policy multiplies how often code must have run before it is compiled to machine
 * code, which is most of what an agent would hold beside its data. Medians of three with `--smol`, VXLAN:
 *
 *     peers, families   ms to the last route     RssAnon MB, 4 s later
 *     policy              10     40    250         10     40    250
 *     5,000, IPv4        439    435    540       11.6   11.4   10.5
 *     5,000, dual        553    594    754       15.0   14.0   12.7
 *     1,000, IPv4        128    101    124        9.1    8.8    8.0
 *     3, IPv4             34     41     40        6.7    6.4    6.2
 */
const RUNTIME_OPTIONS: string[] = ['--smol'];
const JIT_POLICY = 40;

async function main(options: readonly string[]): Promise<void> {
  const host = TARGETS.find((target) => target.arch === process.arch);
  if (host === undefined || process.platform !== 'linux') {
    throw new Error(`flannelette runs on Linux on x64 and arm64, not on ${process.platform} ${process.arch}`);
  }
  mkdirSync(DIST, { recursive: true });
  const version = versionText();
  const hostFile = join(DIST, 'flannelette');
  if (options.includes('--host-only')) {
    await build(host, hostFile, version);
    return;
  }
  for (const target of TARGETS) await build(target, join(DIST, `flannelette-${target.name}`), version);
  const spare = join(DIST, `.flannelette-${process.pid}`);
  linkSync(join(DIST, `flannelette-${host.name}`), spare);
  renameSync(spare, hostFile);
  report(hostFile);
}

/** The version of package.json, with the commit as semantic versioning's build metadata if git knows it. */
function versionText(): string {
  const version = textAt(JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')), ['version']);
  try {
    return `${version}+${run(['git', 'describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'])}`;
  } catch {
    // Not a git checkout, or no git: an unpacked archive builds as well.
    return version;
  }
}

/** Builds beside the destination and renames, so that a running executable can be replaced. */
async function build(target: Target, destination: string, version: string): Promise<void> {
  const folder = mkdtempSync(join(DIST, '.build-'));
  try {
    const image = readRuntime(target);
    harden(image);
    const executablePath = join(folder, 'bun');
    writeFileSync(executablePath, image, { mode: 0o755 });
    const outfile = join(folder, 'flannelette');
    await bundle({ target, outfile, executablePath, version });
    renameSync(outfile, destination);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  report(destination);
}

interface Bundle {
  readonly target: Target;
  readonly outfile: string;
  readonly executablePath: string;
  readonly version: string;
}

async function bundle({ target, outfile, executablePath, version }: Bundle): Promise<void> {
  await Bun.build({
    ...BUNDLE,
    entrypoints: [...BUNDLE.entrypoints],
    bytecode: BYTECODE,
    define: { FLANNELETTE_VERSION: JSON.stringify(version) },
    compile: {
      // The bundler puts `process.arch` in as text, and the bytecode is for one architecture.
      target: `bun-${target.name}`,
      outfile,
      executablePath,
      execArgv: RUNTIME_OPTIONS,
      jitPolicy: JIT_POLICY,
      // Root's network agent takes no settings from whatever directory it was started in.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  });
}

function report(file: string): void {
  console.log(`dist/${basename(file)}  ${(statSync(file).size / 1e6).toFixed(1)} MB`);
}

await main(process.argv.slice(2));
