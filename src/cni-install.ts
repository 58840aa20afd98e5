/**
 * Puts the installer of the CNI plugin together.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import type { AgentJournal } from './agent/journal.ts';
import { systemClock } from './clock.ts';
import { CniInstaller } from './install/installer.ts';
import { DirectoryWatch } from './kernel/directory-watch.ts';
import type { Logger } from './log.ts';
import type { CniSettings, Settings } from './model/settings.ts';

/** What it is made with. */
export interface InstallerSurroundings {
  readonly settings: Pick<Settings, 'stateDir' | 'subnetFile'>;
  readonly cni: CniSettings;
  /** The text of an operator's conflist. */
  readonly conflist: string | undefined;
  readonly log: Logger;
  readonly journal: AgentJournal;
}

/** See the module. */
export function makeInstaller(surroundings: InstallerSurroundings): CniInstaller {
  const { settings, cni, conflist, log, journal } = surroundings;
  return new CniInstaller({
    settings: cni,
    given: conflist,
    stateDir: settings.stateDir,
    clock: systemClock,
    random: Math.random,
    // It is the last that a pass writes, and all that a pod needs.
    isReady: () => existsSync(settings.subnetFile),
    watch: (directory, look) => new DirectoryWatch({ directory, clock: systemClock, look }),
    onProblem: (trouble) => journal.problem('cni', trouble),
    onDone: ({ kind, path }, repair) =>
      log.info(repair ? 'Repaired' : 'Installed for CNI', { object: `file ${path}`, what: kind }),
  });
}
