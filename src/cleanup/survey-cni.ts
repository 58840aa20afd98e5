/**
 * Finds what was installed for the container runtime, and changes nothing.
 *
 * @module
 */
import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { CONFLIST_NAME, LINK_NAMES, PROGRAM_NAME } from '../install/conflist.ts';
import { findConflist, findPlaces, isOwnLink } from '../install/look.ts';
import { OWN_EXECUTABLE } from '../install/own-program.ts';
import { temporaryOf } from '../install/perform.ts';
import { type InstallRecord, identityOf, readRecord } from '../install/record.ts';
import { ASIDE_SUFFIX } from '../model/plugin-names.ts';
import type { CniSettings } from '../model/settings.ts';
import type { CniFinding } from '../removal/findings.ts';

/** What was found. */
export interface CniSurvey {
  /** The conflists first. */
  readonly found: readonly CniFinding[];
  /** Where something may have been left half-written. */
  readonly temporary: readonly string[];
  readonly conflists: readonly string[];
}

/** Looks where something was installed, by what is written down, and where it would be now. */
export function surveyCni(settings: CniSettings | undefined, stateDir: string): CniSurvey {
  if (settings === undefined) return { found: [], temporary: [], conflists: [] };
  const record = readRecord(stateDir);
  const { confDir, binDir } = findPlaces(settings);
  const conflists = [...new Set([`${confDir}/${CONFLIST_NAME}`, ...Object.keys(record.conflists)])];
  const programs = [...new Set([`${binDir}/${PROGRAM_NAME}`, ...Object.keys(record.programs)])];
  const links = programs.flatMap((program) => LINK_NAMES.map((name) => `${dirname(program)}/${name}`));
  return {
    found: [
      ...conflists.map((path) => finding(path, conflistOwner(path, record))),
      ...links.map((path) => finding(path, linkOwner(path))),
      ...programs.map((path) => finding(path, programOwner(path, record))),
    ],
    temporary: [...links, ...programs].flatMap((path) => [temporaryOf(path), `${temporaryOf(path)}.aside`]),
    conflists,
  };
}

function finding(path: string, owner: CniFinding['owner']): CniFinding {
  const aside = `${path}${ASIDE_SUFFIX}`;
  return { path, owner, aside: isThere(aside) ? aside : undefined };
}

function conflistOwner(path: string, record: InstallRecord): CniFinding['owner'] {
  const conflist = findConflist(path, record);
  if (conflist === undefined) return isThere(path) ? 'foreign' : 'nobody';
  return conflist.own ? 'ours' : 'foreign';
}

function linkOwner(path: string): CniFinding['owner'] {
  if (!isThere(path)) return 'nobody';
  return isOwnLink(path) ? 'ours' : 'foreign';
}

function programOwner(path: string, { programs }: InstallRecord): CniFinding['owner'] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'nobody';
  if (stat.isFile() && programs[path] === identityOf(stat)) return 'ours';
  const own = statSync(OWN_EXECUTABLE);
  const isRunning = stat.dev === own.dev && stat.ino === own.ino;
  return stat.isSymbolicLink() || isRunning ? 'operator' : 'unknown';
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
