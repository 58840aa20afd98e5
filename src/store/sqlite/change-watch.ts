/**
 * Hears of other processes' commits, by inotify on the directory of the database.
 *
 * Three names in it matter: the sibling file, touched after a commit; the database itself, which may be
 * replaced; and the write-ahead log, whose events come before the rows can be read, but come even from a
 * process that was killed between its commit and its touch.
 *
 * @module
 */
import { type FSWatcher, mkdirSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { backOffMs } from '../../model/back-off.ts';
import type { Clock, Timer } from '../../model/clock.ts';
import { type Problem, problem } from '../../model/problem.ts';
import { RETRY_MS_MAX } from './expiry.ts';
import { siblingOf } from './sibling.ts';

/** How long after a write to the log its commit has ended, unless its touch comes first. */
const LOG_DELAY_MS = 100;

const REMEDY = 'Check the directory, and raise fs.inotify.max_user_instances and max_user_watches';

/** What a watch is made of. */
export interface ChangeWatchOptions {
  /** The database. */
  readonly path: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** Something was committed, or may have been. */
  readonly onChange: () => void;
  /** The watch failed, or works again. Meanwhile changes are heard of only when somebody looks. */
  readonly onProblem: (problem: Problem | undefined) => void;
}

/** A watch that is set up again whenever it breaks. */
export class ChangeWatch {
  readonly #options: ChangeWatchOptions;
  readonly #directory: string;
  #watcher: FSWatcher | undefined;
  /** Which directory is watched. */
  #watched: string | undefined;
  #failures = 0;
  #retry: Timer | undefined;
  #logDelay: Timer | undefined;
  #closed = false;

  constructor(options: ChangeWatchOptions) {
    this.#options = options;
    this.#directory = dirname(options.path);
  }

  /** Begins to watch the directory, which is made if there is none; what fails is tried again by itself. */
  start(): void {
    if (this.#closed || this.#watcher !== undefined) return;
    this.#retry?.cancel();
    this.#retry = undefined;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      this.#watched = identityOf(this.#directory);
      const watcher = watch(this.#directory, (_, name) => this.#onEvent(watcher, name));
      watcher.on('error', (error) => this.#onFailure(watcher, error));
      this.#watcher = watcher;
    } catch (error) {
      this.#onFailure(undefined, error);
      return;
    }
    if (this.#failures > 0) {
      this.#failures = 0;
      this.#options.onProblem(undefined);
    }
  }

  /** Sets the watch up again if the directory is another one by now. */
  check(): void {
    if (this.#watcher === undefined || identityOf(this.#directory) === this.#watched) return;
    this.#restart();
  }

  /** Ends the watch for good. */
  close(): void {
    this.#closed = true;
    this.#drop();
    this.#retry?.cancel();
  }

  #onEvent(watcher: FSWatcher, name: string | null): void {
    if (watcher !== this.#watcher) return;
    const { path, onChange, clock } = this.#options;
    const file = basename(path);
    if (name === `${file}-wal`) {
      this.#logDelay ??= clock.schedule(LOG_DELAY_MS, () => {
        this.#logDelay = undefined;
        onChange();
      });
      return;
    }
    if (name === file || name === basename(siblingOf(path))) {
      this.#logDelay?.cancel();
      this.#logDelay = undefined;
      onChange();
    } else if (name === null || name === basename(this.#directory)) {
      // The directory itself was moved or removed: its watch is dead.
      this.#restart();
      onChange();
    }
  }

  #onFailure(watcher: FSWatcher | undefined, error: unknown): void {
    if (this.#closed || watcher !== this.#watcher) return;
    this.#drop();
    this.#failures++;
    const text = error instanceof Error ? error.message : String(error);
    const message = `Cannot watch '${this.#directory}' for changes of leases: ${text}`;
    this.#options.onProblem(problem('store-unavailable', message, REMEDY));
    this.#retry = this.#options.clock.schedule(
      backOffMs(this.#failures, { random: this.#options.random, longestMs: RETRY_MS_MAX }),
      () => {
        this.start();
        // Whatever was missed meanwhile is read now.
        if (this.#watcher !== undefined) this.#options.onChange();
      },
    );
  }

  #restart(): void {
    this.#drop();
    this.start();
  }

  #drop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#logDelay?.cancel();
    this.#logDelay = undefined;
  }
}

/** What tells directories apart that have had one path. A new one often gets the inode of the old. */
function identityOf(directory: string): string | undefined {
  const stat = statSync(directory, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`;
}
