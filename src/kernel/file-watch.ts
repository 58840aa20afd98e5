/**
 * Hears of changes to a file that we keep, by inotify on its directory: an atomic replacement is another file.
 *
 * @module
 */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Observed } from '../reconcile/target.ts';
import { readFile } from './files.ts';

/** What a watch needs. */
export interface FileWatchOptions {
  readonly path: string;
  /** Hears what the file holds now, or that it is gone. Our own writes are heard, too. */
  readonly moved: (observed: Observed, gone: boolean) => void;
}

/** A watch that costs nothing while nothing happens. What it misses the audit finds. */
export class FileWatch {
  readonly #options: FileWatchOptions;
  #watcher: FSWatcher | undefined;

  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch, if that does not work yet and the directory is there. */
  ensure(): void {
    if (this.#watcher !== undefined) return;
    const { path } = this.#options;
    const directory = dirname(path);
    try {
      const watcher = watch(directory, (_, name) => {
        if (watcher !== this.#watcher) return;
        // Of the directory itself is told only that it has gone.
        if (name === null || name === basename(directory)) this.close();
        if (name === null || name === basename(directory) || name === basename(path)) this.#look();
      });
      watcher.on('error', () => this.close());
      this.#watcher = watcher;
    } catch {
      // No such directory yet, or too many watches on this machine.
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #look(): void {
    const { path, moved } = this.#options;
    const object = { kind: 'file', path, text: '', mode: 0 } as const;
    const found = readFile(object);
    moved({ object: found ?? object, owner: 'ours' }, found === undefined);
  }
}
