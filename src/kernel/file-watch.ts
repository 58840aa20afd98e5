/**
 * Hears of changes to a file that we keep, by a watch on its directory: an atomic replacement is another file.
 *
 * @module
 */
import { basename, dirname } from 'node:path';
import type { Clock } from '../model/clock.ts';
import type { Observed } from '../reconcile/target.ts';
import { DirectoryWatch } from './directory-watch.ts';
import { readFile } from './files.ts';

/** What a watch needs. */
export interface FileWatchOptions {
  readonly path: string;
  readonly clock: Pick<Clock, 'schedule'>;
  /** Hears what the file holds now, or that it is gone. Our own writes are heard, too. */
  readonly moved: (observed: Observed, gone: boolean) => void;
}

/** A watch that costs nothing while nothing happens. What it misses the audit finds. */
export class FileWatch {
  readonly #watch: DirectoryWatch;

  constructor({ path, clock, moved }: FileWatchOptions) {
    const look = () => {
      const object = { kind: 'file', path, text: '', mode: 0 } as const;
      const found = readFile(object);
      moved({ object: found ?? object, owner: 'ours' }, found === undefined);
    };
    this.#watch = new DirectoryWatch({ directory: dirname(path), name: basename(path), clock, look });
  }

  /** Begins to watch, if that does not work yet, or not any more, and the directory is there. */
  ensure(): void {
    this.#watch.ensure();
  }

  close(): void {
    this.#watch.close();
  }
}
