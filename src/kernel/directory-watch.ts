/**
 * Hears of what happens to the names in a directory, by inotify.
 *
 * @module
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename } from 'node:path';
import type { Clock, Timer } from '../model/clock.ts';

/** The runtime passes over what happens to a file within ten milliseconds of the last: one more look finds that. */
const SECOND_LOOK_MS = 30;

/** What a watch needs. */
export interface DirectoryWatchOptions {
  readonly directory: string;
  readonly clock: Pick<Clock, 'schedule'>;
  /** The name that is of interest; all if absent. */
  readonly name?: string;
  /** Called when there may be something else to see, our own doings among it. */
  readonly look: () => void;
}

/** A watch that costs nothing while nothing happens. What it misses the audit finds. */
export class DirectoryWatch {
  readonly #options: DirectoryWatchOptions;
  #watcher: FSWatcher | undefined;
  /** Which directory is watched: one of the same path may be another. */
  #watched: string | undefined;
  #secondLook: Timer | undefined;

  constructor(options: DirectoryWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch, if that does not work yet, or not any more, and the directory is there. */
  ensure(): void {
    const { directory, name: wanted } = this.#options;
    const identity = identityOf(directory);
    if (this.#watcher !== undefined && identity === this.#watched) return;
    this.close();
    try {
      const watcher = watch(directory, (_, name) => {
        if (watcher !== this.#watcher) return;
        // Of the directory itself is told only that it has gone.
        const isOwn = name === null || name === basename(directory);
        if (isOwn) this.close();
        if (isOwn || wanted === undefined || name === wanted) this.#look();
        // A file may have its directory's name, and a directory that went may be there again.
        this.ensure();
      });
      watcher.on('error', () => this.close());
      this.#watcher = watcher;
      this.#watched = identity;
    } catch {
      // No such directory yet, or too many watches on this machine.
      return;
    }
    // What happened before nobody has heard.
    this.#look();
  }

  close(): void {
    this.#secondLook?.cancel();
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #look(): void {
    const { clock, look } = this.#options;
    look();
    this.#secondLook?.cancel();
    this.#secondLook = clock.schedule(SECOND_LOOK_MS, look);
  }
}

/**
 * What tells directories apart that have had one path; `undefined` for one that is not there or cannot be looked at. A new
 * one often gets the inode of the old.
 */
function identityOf(directory: string): string | undefined {
  try {
    const { dev, ino, birthtimeNs } = statSync(directory, { bigint: true });
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return undefined;
  }
}
