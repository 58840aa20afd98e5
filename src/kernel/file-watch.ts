/**
 * Hears of changes to a file that we keep, by inotify on its directory: an atomic replacement is another file.
 *
 * @module
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock, Timer } from '../model/clock.ts';
import type { Observed } from '../reconcile/target.ts';
import { readFile } from './files.ts';

/** The runtime passes over what happens to a file within ten milliseconds of the last: one more look finds that. */
const SECOND_LOOK_MS = 30;

/** What a watch needs. */
export interface FileWatchOptions {
  readonly path: string;
  readonly clock: Pick<Clock, 'schedule'>;
  /** Hears what the file holds now, or that it is gone. Our own writes are heard, too. */
  readonly moved: (observed: Observed, gone: boolean) => void;
}

/** A watch that costs nothing while nothing happens. What it misses the audit finds. */
export class FileWatch {
  readonly #options: FileWatchOptions;
  #watcher: FSWatcher | undefined;
  /** Which directory is watched: one of the same path may be another. */
  #watched: string | undefined;
  #secondLook: Timer | undefined;

  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch, if that does not work yet, or not any more, and the directory is there. */
  ensure(): void {
    const { path } = this.#options;
    const directory = dirname(path);
    const identity = identityOf(directory);
    if (this.#watcher !== undefined && identity === this.#watched) return;
    this.close();
    try {
      const watcher = watch(directory, (_, name) => {
        if (watcher !== this.#watcher) return;
        // Of the directory itself is told only that it has gone.
        if (name === null || name === basename(directory)) this.close();
        if (name === null || name === basename(directory) || name === basename(path)) this.#look();
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
    this.#tell();
    this.#secondLook?.cancel();
    this.#secondLook = this.#options.clock.schedule(SECOND_LOOK_MS, () => this.#tell());
  }

  #tell(): void {
    const { path, moved } = this.#options;
    const object = { kind: 'file', path, text: '', mode: 0 } as const;
    const found = readFile(object);
    moved({ object: found ?? object, owner: 'ours' }, found === undefined);
  }
}

/** What tells directories apart that have had one path. A new one often gets the inode of the old. */
function identityOf(directory: string): string | undefined {
  const stat = statSync(directory, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`;
}
