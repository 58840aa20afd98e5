/**
 * The built executable, and one made from Bun's plain runtime to compare it with.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What `npm run build` makes for this machine. */
export const EXECUTABLE = join(import.meta.dir, '../../dist/flannelette');

/** How long a program may run that is expected to end at once. */
const TIMEOUT_MS = 5_000;

/** A directory that is removed at the end of a scope. */
export interface Scratch extends Disposable {
  readonly path: string;
}

/** An empty directory: `using scratch = makeScratch()`. */
export function makeScratch(): Scratch {
  const path = mkdtempSync(join(tmpdir(), 'flannelette-exe-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** How a program is started. */
export interface RunOptions {
  readonly cwd: string;
  /** Added to an environment that holds nothing but PATH. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What came of it. */
export interface RunOutcome {
  /** `null` if it had to be ended. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export function runProgram(command: readonly string[], { cwd, env = {} }: RunOptions): RunOutcome {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    cwd,
    env: { PATH: '/usr/bin:/bin', ...env },
    stdin: 'ignore',
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  return { status: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** What {@link buildPlain}'s program prints. */
export const PLAIN_OUTPUT = 'the program itself\n';

/** The body of the function in {@link buildPlain}'s program, as it stands in the executable. */
export const PLAIN_BODY = 'console.log("the program itself")';

/**
 * Compiles a one-line program with Bun's defaults: it shows that a trick works at all, so that a test in
 * which our executable withstands it proves something.
 *
 * @returns the executable's path
 */
export async function buildPlain(directory: string): Promise<string> {
  const source = join(directory, 'plain.ts');
  writeFileSync(source, `function say() {${PLAIN_BODY}}\nsay();\n`);
  const outfile = join(directory, 'plain');
  await Bun.build({
    entrypoints: [source],
    target: 'bun',
    minify: { whitespace: true },
    compile: { outfile },
  });
  return outfile;
}
