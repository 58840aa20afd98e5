/**
 * A server that is started for a demo or a test, and ends with it: its log is kept in a file, and shown if it does
 * not come up.
 *
 * @module
 */
import { closeSync, openSync, readFileSync } from 'node:fs';

/** A server that is not up by then, on a machine with much other work, will not come. */
const UP_TIMEOUT_MS = 90_000;
const LOOK_INTERVAL_MS = 20;
/** How long a server may take to end when it is asked to. */
const STOP_TIMEOUT_MS = 10_000;
const LOG_LINES_SHOWN = 20;

/** What to start. */
export interface ServerOptions {
  readonly command: readonly string[];
  /** Where it may write. */
  readonly directory: string;
  /** Appended to. */
  readonly logFile: string;
}

/** One process. It does not outlive the process that has started it. */
export class ServerProcess {
  readonly #process: Bun.Subprocess<'ignore', number, number>;
  readonly #options: ServerOptions;

  constructor(options: ServerOptions) {
    this.#options = options;
    const { command, directory, logFile } = options;
    const log = openSync(logFile, 'a');
    const { PATH = '' } = process.env;
    // Who is killed takes its servers with it.
    this.#process = Bun.spawn(['setpriv', '--pdeathsig', 'KILL', '--', ...command], {
      cwd: directory,
      env: { PATH, HOME: directory },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Waits until `look` says yes. What it throws is a no. */
  async up(look: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + UP_TIMEOUT_MS;
    for (;;) {
      if (await look().catch(() => false)) return;
      if (this.#ended)
        throw new Error(`It ended with status ${this.#process.exitCode}:\n${this.#lastLines()}`);
      if (performance.now() > deadlineMs) throw new Error(`It does not come up:\n${this.#lastLines()}`);
      await Bun.sleep(LOOK_INTERVAL_MS);
    }
  }

  /** Asks it to end, makes it end if it takes too long, and waits for that. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.#process.kill(signal);
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#process.exited;
    clearTimeout(timer);
  }

  get #ended(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  #lastLines(): string {
    const { command, logFile } = this.#options;
    const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
    return [...lines.slice(-LOG_LINES_SHOWN), command.join(' ')].join('\n');
  }
}
