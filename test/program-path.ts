/**
 * Programs that the preparation takes out of Debian's packages where they are not installed.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** How the program is started: by its name, or where the preparation has put it. */
export function programPath(command: 'etcd' | 'promtool' | 'radvd'): string {
  const fetched = join(import.meta.dir, '../.cache', command);
  return existsSync(fetched) ? fetched : command;
}
