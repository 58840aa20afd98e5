/**
 * Looks at the directories of CNI, and changes nothing.
 *
 * @module
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readCniPlaces } from '../config/containerd-config.ts';
import type { CniSettings } from '../model/settings.ts';
import { digestOf } from '../store/state-file.ts';
import { CONFLIST_NAME, isOwnConflist, LINK_NAMES, PROGRAM_NAME } from './conflist.ts';
import type { OwnProgram } from './own-program.ts';
import type { Findings, NameFinding, Places } from './plan.ts';
import type { InstallRecord } from './record.ts';

/** The configuration of K3s' containerd, where there is one, and that of any other. */
const RUNTIME_CONFIGS = [
  '/var/lib/rancher/k3s/agent/etc/containerd/config.toml',
  '/etc/containerd/config.toml',
] as const;

/** containerd's, if its configuration does not say (`pkg/cri/config`); K3s' with `--flannel-backend=none`. */
const USUAL: Places = { confDir: '/etc/cni/net.d', binDir: '/opt/cni/bin' };

/** Where the container runtime looks: as the settings say, else as its configuration does, else where it is usual. */
export function findPlaces(
  { confDir, binDir }: Pick<CniSettings, 'confDir' | 'binDir'>,
  runtimeConfigs: readonly string[] = RUNTIME_CONFIGS,
): Places {
  if (confDir !== undefined && binDir !== undefined) return { confDir, binDir };
  const config = runtimeConfigs.find((path) => existsSync(path));
  const told = readCniPlaces(config === undefined ? '' : (readText(config) ?? ''));
  return {
    confDir: withoutSlash(confDir ?? told.confDir ?? USUAL.confDir),
    binDir: withoutSlash(binDir ?? told.binDir ?? USUAL.binDir),
  };
}

function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, '');
}

/** What is there. What cannot be read is as if it were not there: that it cannot be written is told then. */
export function lookAtCni(places: Places, record: InstallRecord, program: OwnProgram): Findings {
  const { confDir, binDir } = places;
  const programPath = `${binDir}/${PROGRAM_NAME}`;
  const names = namesIn(binDir);
  const isOwn = program.isAt(programPath);
  const links = new Map(LINK_NAMES.map((name) => [name, findName(`${binDir}/${name}`, names, program)]));
  return {
    places,
    program: isOwn ? 'own' : names.includes(PROGRAM_NAME) ? 'other' : 'none',
    links,
    executables: new Set(names.filter((name) => isExecutable(`${binDir}/${name}`))),
    conflist: findConflist(`${confDir}/${CONFLIST_NAME}`, record),
    configs: namesIn(confDir),
  };
}

function findName(path: string, names: readonly string[], program: OwnProgram): NameFinding {
  if (!names.includes(path.slice(path.lastIndexOf('/') + 1))) return 'none';
  return isOwnLink(path) || program.isAt(path) ? 'own' : 'foreign';
}

/** Whether a name is a link as this program makes it: to its own name beside it. */
export function isOwnLink(path: string): boolean {
  try {
    return readlinkSync(path) === PROGRAM_NAME;
  } catch {
    return false;
  }
}

/** The conflist, and whether it is one that was installed. */
export function findConflist(path: string, { conflists }: InstallRecord): Findings['conflist'] {
  const text = readText(path);
  if (text === undefined) return undefined;
  // One that is just being written in place is empty, and nobody's.
  const isNothing = text.trim() === '';
  return { text, own: isNothing || isOwnConflist(text) || conflists[path] === digestOf(text) };
}

/** Also false on a file system that is mounted `noexec` (access(2)). */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
