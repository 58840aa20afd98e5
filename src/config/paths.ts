/**
 * Paths that must differ: of two writers of one file the second destroys what the first has written.
 *
 * @module
 */
import { type ConfigError, invalid } from './error.ts';
import { type GivenFlags, keyOf, textOf } from './flag-values.ts';
import type { FlagNameOf } from './flags.ts';

/** What the paths are, absolute, by their flags. */
export interface Paths {
  readonly 'net-config-path': string;
  /** `undefined` if there is none. */
  readonly 'lease-db': string | undefined;
  readonly 'subnet-file': string;
  readonly 'state-dir': string;
  readonly socket: string;
}

type PathFlag = keyof Paths & FlagNameOf<'string'>;

/** A file that the agent reads or makes. */
interface Place {
  readonly flag: PathFlag;
  readonly file: string;
  /** Where it is not the flag's own path: which part of what the flag names. */
  readonly part?: string;
}

/** SQLite's own files (its `tempfiles.html`), and the one that is touched after a commit. */
const DATABASE_SUFFIXES = ['-wal', '-shm', '-journal', '-changed'] as const;
/** What the agent keeps in the state directory: itself, the last good leases, and what it has installed for CNI. */
const STATE_FILES = ['node.json', 'leases.tsv', 'cni.json'] as const;

/** The first path that is that of another file too, or lies below one as if that were a directory. */
export function pathConflict(given: GivenFlags, paths: Paths): ConfigError | undefined {
  const places = placesOf(paths);
  for (const [i, { flag, file, part }] of places.entries()) {
    const other = places.slice(0, i).find((each) => each.flag !== flag && isSameOrBelow(file, each.file));
    const isAbove = places.slice(0, i).some((each) => each.flag !== flag && isBelow(each.file, file));
    if (other === undefined && !isAbove) continue;
    const value = textOf(given, flag);
    if (other === undefined)
      return invalid({ key: keyOf(given, flag), value }, 'a file, not the directory of another');
    const relation = isBelow(file, other.file) ? 'a path that is not below' : 'another path than that of';
    const own = part === undefined ? '' : ` (for its ${part})`;
    return invalid({ key: keyOf(given, flag), value }, `${relation} ${nameOf(other)}${own}`);
  }
  return undefined;
}

function placesOf(paths: Paths): Place[] {
  const of = (flag: PathFlag, file: string): Place => ({ flag, file: normal(file) });
  return [
    of('net-config-path', paths['net-config-path']),
    ...databasePlaces(paths['lease-db']),
    ...STATE_FILES.map((part): Place => {
      return { flag: 'state-dir', file: `${normal(paths['state-dir'])}/${part}`, part };
    }),
    of('subnet-file', paths['subnet-file']),
    of('socket', paths.socket),
  ];
}

function databasePlaces(path: string | undefined): Place[] {
  if (path === undefined) return [];
  const file = normal(path);
  const beside = DATABASE_SUFFIXES.map((suffix): Place => {
    return { flag: 'lease-db', file: `${file}${suffix}`, part: `${suffix} file` };
  });
  return [{ flag: 'lease-db', file }, ...beside];
}

function nameOf({ flag, part }: Place): string {
  return part === undefined ? flag : `the ${part} of ${flag}`;
}

/** Without the empty and `.` parts; `..` stays, since only the kernel knows where a symbolic link leads. */
function normal(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return `/${parts.join('/')}`;
}

function isSameOrBelow(path: string, other: string): boolean {
  return path === other || isBelow(path, other);
}

function isBelow(path: string, other: string): boolean {
  return path.startsWith(`${other}/`);
}
