/**
 * `flannelette demo`.
 *
 * @module
 */
import { printable } from '../../model/printable.ts';
import { DEMO_USAGE, type DemoOptions, parseDemoArguments } from './arguments.ts';
import { DemoFailure } from './failure.ts';
import { type Inside, insideFrom, noteKeptStatus, runIsolated } from './isolate.ts';
import { keepHints } from './keep.ts';
import { Progress } from './progress.ts';
import { allWell, type Findings, failureJson, findingsJson, nodesTable, repairsTable } from './report.ts';
import { type ShownNetwork, showNetwork } from './run.ts';
import { makeSite, ownCommand } from './site.ts';
import { requireStore } from './store.ts';

/** What a shell calls the end by SIGPIPE: 128 and the signal's number. */
const UNREAD_STATUS = 141;

/**
 * Runs `flannelette demo` with what follows the command's name.
 *
 * @returns the exit status: 0 only if every ping had its reply and everything was repaired
 */
export async function demoCommand(args: readonly string[]): Promise<number> {
  const inside = insideFrom(args);
  const options = parseDemoArguments(inside?.args ?? args);
  if (!options.ok) {
    process.stderr.write(`${printable(options.error)}\n`);
    return 1;
  }
  if (options.value === 'help') {
    process.stdout.write(DEMO_USAGE);
    return 0;
  }
  if (inside === undefined) return runIsolated(args);
  return Promise.race([runInside(inside, options.value), untilUnread()]);
}

/** Gives back a status once nobody reads what is written any more (`flannelette demo | head`). */
function untilUnread(): Promise<number> {
  return new Promise((resolve) => {
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => resolve(UNREAD_STATUS));
  });
}

async function runInside(inside: Inside, options: DemoOptions): Promise<number> {
  const progress = new Progress(options.json ? process.stderr : process.stdout);
  progress.write(`\n${progress.bold('flannelette demo')} ${progress.dim(describeOptions(options))}\n`);
  const shown = await attempt(inside, options, progress);
  if (options.json)
    process.stdout.write(`${shown === undefined ? failureJson() : findingsJson(shown.findings)}\n`);
  if (shown === undefined) return 1;
  const status = allWell(shown.findings) ? 0 : 1;
  const [member] = shown.members;
  if (options.keep && member !== undefined) {
    noteKeptStatus(inside.directory, status);
    progress.write(`\n${keepHints(inside, member)}\n`);
    await forever();
  }
  return status;
}

async function attempt(
  { directory }: Inside,
  options: DemoOptions,
  progress: Progress,
): Promise<ShownNetwork | undefined> {
  try {
    requireStore(options);
    const backend = { Type: options.backend };
    const site = makeSite(directory, { families: options.families, backend, command: ownCommand() });
    const shown = await showNetwork(options, { site, progress });
    writeReport(shown.findings, progress);
    return shown;
  } catch (error) {
    if (!(error instanceof DemoFailure)) throw error;
    progress.write(`\n${[error.message, ...error.details].map(printable).join('\n')}\n`);
    return undefined;
  }
}

function writeReport(findings: Findings, progress: Progress): void {
  const { columns } = progress;
  const mark = (good: boolean) => progress.mark(good);
  progress.write(`\n${nodesTable(findings, columns)}`);
  if (findings.repairs.length > 0) progress.write(`\n${repairsTable(findings, { columns, mark })}`);
  progress.write(`\n${closingSentence(findings)}`);
}

function closingSentence(findings: Findings): string {
  const { pings, outside, repairs } = findings;
  const counts = [...pings.values(), ...outside.values()];
  const sent = counts.reduce((sum, count) => sum + count.sent, 0);
  const lost = sent - counts.reduce((sum, count) => sum + count.ok, 0);
  if (allWell(findings)) {
    const all = [
      ...(sent > 0 ? [`${sent} of ${sent} pings were answered`] : []),
      `${repairs.length} of ${repairs.length} damages were repaired`,
    ].join(', ');
    return `Everything worked: ${all}. This machine's own network was not touched.`;
  }
  const unrepaired = repairs.filter(({ ms }) => ms === undefined).length;
  return `Not everything worked: ${lost} of ${sent} pings were lost, ${unrepaired} of ${repairs.length} damages not repaired.`;
}

function describeOptions({ nodes, backend, store, families }: DemoOptions): string {
  const stack = families.length === 2 ? 'dual stack' : `IPv${families[0]} only`;
  const leases = store === 'sqlite' ? '' : ` · leases in ${store}`;
  return `· ${nodes} ${nodes === 1 ? 'node' : 'nodes'} · ${backend} · ${stack}${leases}`;
}

/** Until the outer process kills this one. */
function forever(): Promise<never> {
  setInterval(() => {}, 2 ** 31 - 1);
  return new Promise(() => {});
}
