/**
 * Runs the tests tier by tier, says one line for each, and shows a tier's output only if it failed.
 *
 *     bun test/run.ts                  all tiers but those that need more than this machine has
 *     bun test/run.ts unit net         these
 *     bun test/run.ts --filter mtu     the tests whose names match a regular expression
 *
 * The last line is `N passed, N failed`. A tier in which nothing ran has failed, and so has a skipped test:
 * what is not run must not look like what passed.
 *
 * @module
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ownNetwork } from './own-network.ts';

const ROOT = join(import.meta.dir, '..');

interface Tier {
  /** Below `test`. */
  readonly path: string;
  /** Starts dist/flannelette. */
  readonly executable?: true;
  /** Changes the kernel's network, and so runs in a network namespace of its own. */
  readonly network?: true;
  /** Runs only where it is named, after this program has made what it needs. */
  readonly preparation?: string;
}

/** In the order in which they run: the quick ones first. */
const TIERS: Readonly<Record<string, Tier>> = {
  architecture: { path: 'architecture.test.ts' },
  unit: { path: 'unit' },
  fuzz: { path: 'fuzz' },
  golden: { path: 'golden' },
  sim: { path: 'sim' },
  store: { path: 'store', executable: true },
  etcd: { path: 'etcd', network: true },
  exe: { path: 'exe', executable: true },
  net: { path: 'net', executable: true, network: true },
  kube: { path: 'kube', executable: true, network: true, preparation: 'test/kube/prepare.ts' },
  containerd: {
    path: 'containerd',
    executable: true,
    network: true,
    preparation: 'test/containerd/prepare.ts',
  },
};

/** Many times what the slowest tier takes; a tier that needs more hangs. */
const TIER_TIMEOUT_MS = 20 * 60_000;

/** Bun's own five seconds are soon over on a machine with other work; a test that needs this long hangs. */
const TEST_TIMEOUT_MS = 60_000;

const { PATH = '' } = process.env;

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** What to show if something failed. */
  readonly output: string;
}

/** Runs what the arguments name and gives back the exit status. */
async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { filter: { type: 'string' } },
    allowPositionals: true,
  });
  const unknown = positionals.find((name) => TIERS[name] === undefined);
  if (unknown !== undefined) {
    console.error(`No tier '${unknown}', expected some of: ${Object.keys(TIERS).join(', ')}`);
    return 1;
  }
  const chosen = Object.entries(TIERS).filter(([name, { preparation }]) =>
    positionals.length === 0 ? preparation === undefined : positionals.includes(name),
  );
  if (chosen.some(([, { executable }]) => executable)) await prepare(['node', 'arm/prepare.mjs', '--build']);
  for (const [, { preparation }] of chosen) {
    if (preparation !== undefined) await prepare([process.execPath, preparation]);
  }
  let passed = 0;
  let failed = strayTests().length;
  for (const stray of strayTests()) console.log(`${stray} belongs to no tier of test/run.ts`);
  for (const [name] of chosen) {
    const outcome = await runTier(name, values.filter);
    passed += outcome.passed;
    failed += outcome.failed;
  }
  if (passed + failed === 0) failed = 1;
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Quick if there is nothing to build; its progress is worth seeing if there is. Without it nothing is run. */
async function prepare(command: string[]): Promise<void> {
  const preparation = Bun.spawn(command, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  if ((await preparation.exited) === 0) return;
  console.log('0 passed, 1 failed');
  process.exit(1);
}

/** Test files that no tier would run. */
function strayTests(): string[] {
  const files = readdirSync(import.meta.dir, { recursive: true, encoding: 'utf8' });
  const places = Object.values(TIERS).map(({ path }) => path);
  return files.filter(
    (file) =>
      file.endsWith('.test.ts') && !places.some((place) => file === place || file.startsWith(`${place}/`)),
  );
}

async function runTier(name: string, filter: string | undefined): Promise<Outcome> {
  const tier = TIERS[name];
  if (tier === undefined) throw new RangeError(`No tier '${name}'`);
  process.stdout.write(name.padEnd(14));
  const beganAtMs = performance.now();
  const outcome = await runBun(tier, filter);
  const seconds = ((performance.now() - beganAtMs) / 1000).toFixed(1);
  const failures = outcome.failed === 0 ? '' : `  ${outcome.failed} failed`;
  console.log(`${String(outcome.passed).padStart(5)} passed ${seconds.padStart(7)} s${failures}`);
  if (outcome.failed > 0) console.log(outcome.output);
  return outcome;
}

async function runBun({ path, network }: Tier, filter: string | undefined): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'flannelette-test-'));
  const report = join(directory, 'report.xml');
  const command = [
    process.execPath,
    'test',
    `./test/${path}`,
    `--timeout=${TEST_TIMEOUT_MS}`,
    '--reporter=junit',
    `--reporter-outfile=${report}`,
  ];
  if (filter !== undefined) command.push(`--test-name-pattern=${filter}`);
  try {
    const child = Bun.spawn([...(network ? ownNetwork() : []), ...command], {
      cwd: ROOT,
      // An ordinary user's PATH does not look where `ip` and `nft` are.
      env: { ...process.env, PATH: `${PATH}:/usr/sbin:/sbin` },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIER_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    const texts = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const status = await child.exited;
    return judge({ report, status, output: texts.join(''), filtered: filter !== undefined });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Evidence {
  readonly report: string;
  readonly status: number;
  readonly output: string;
  readonly filtered: boolean;
}

/** Counts from the report, but trusts the exit status: a crash or a file that does not load leaves no count. */
function judge({ report, status, output, filtered }: Evidence): Outcome {
  const { tests, failures, skipped } = readReport(report);
  const ran = tests - skipped;
  // With a filter, everything else is skipped, in the tiers where nothing matches all of it.
  const missing = filtered ? 0 : skipped + (tests === 0 ? 1 : 0);
  const broken = status !== 0 && failures + missing === 0 && !(filtered && ran === 0) ? 1 : 0;
  const notes = [
    ...(skipped > 0 ? [`${skipped} tests were skipped`] : []),
    ...(tests === 0 ? ['No test was run'] : []),
    ...(status !== 0 ? [`bun test ended with status ${status}`] : []),
  ];
  return {
    passed: ran - failures,
    failed: failures + missing + broken,
    output: [output.trimEnd(), ...notes].join('\n'),
  };
}

/** The sums that stand in the first element of a JUnit report; zeros if there is no report. */
function readReport(path: string): { tests: number; failures: number; skipped: number } {
  let head = '';
  try {
    head = /<testsuites [^>]*>/.exec(readFileSync(path, 'utf8'))?.[0] ?? '';
  } catch {
    // A crash before the end leaves no report, and a status that is not 0.
  }
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  return { tests: count('tests'), failures: count('failures'), skipped: count('skipped') };
}

process.exit(await main(process.argv.slice(2)));
