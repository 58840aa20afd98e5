/**
 * What the plugin remembers of each interface that it added until its DEL: the delegate's configuration.
 *
 * @module
 */
import { listFolder, makeFolder, O, readFile, removeFile, writeFile } from '../../../ffi/files.ts';
import type { Attachment } from '../attachment.ts';
import { ioFailure, need } from '../io.ts';
import { optionalText, type Place } from '../json.ts';
import { type CniRequest, parseConfig } from '../request.ts';

/** On tmpfs, as the address books are: what is remembered of pods dies with them. */
const DATA_DIR = '/run/cni/flannel';
/** Where flannel's plugin remembers, by the container alone. */
const FLANNELS_DATA_DIR = '/var/lib/cni/flannel';

/** What is remembered of one interface. */
export interface Remembered {
  readonly text: string;
  readonly place: Place;
}

type Asker = Pick<CniRequest, 'config' | 'name'> & Attachment;

/** Remembers the delegate's configuration. Throws {@link CniAbort} if it cannot be written. */
export function remember(request: Asker, text: string): void {
  const [folder = DATA_DIR] = foldersOf(request);
  need(`make ${folder}`, makeFolder(folder, 0o700));
  const path = `${folder}/${fileOf(request)}`;
  const error = writeFile(path, { text, flags: O.CREAT | O.TRUNC, mode: 0o600 });
  if (error === 0) return;
  removeFile(path);
  throw ioFailure(`write ${path}`, -error);
}

/** What is remembered of an interface, also by flannel; `undefined` if nothing is, or nothing that can be read. */
export function remembered(request: Asker): Remembered | undefined {
  for (const path of pathsOf(request)) {
    const text = readFile(path);
    const place = typeof text === 'string' ? parsed(text) : undefined;
    // By the container alone, it may be of its interface in another network.
    if (typeof text === 'string' && place !== undefined && nameOf(place) === request.name) {
      return { text, place };
    }
  }
  return undefined;
}

/** Forgets an interface. Throws {@link CniAbort} if its file stays. */
export function forget(request: Asker): void {
  for (const path of pathsOf(request)) {
    const text = readFile(path);
    const place = typeof text === 'string' ? parsed(text) : undefined;
    if ((place !== undefined && nameOf(place) === request.name) || path.includes(':'))
      need(`remove ${path}`, removeFile(path));
  }
}

/** The attachments that anything is remembered of, of whatever network; without `ifname` by flannel. */
export function attachmentsWith({ config }: Pick<CniRequest, 'config'>) {
  return foldersOf({ config }).flatMap((folder) => {
    const names = listFolder(folder);
    if (typeof names === 'number') return [];
    return names.map((name) => {
      const [containerId = '', ifname] = name.split(':', 2);
      return { containerId, ifname };
    });
  });
}

function nameOf({ object: { name } }: Place): unknown {
  return name;
}

function parsed(text: string): Place | undefined {
  try {
    return parseConfig(text);
  } catch {
    return undefined;
  }
}

function pathsOf(request: Asker): string[] {
  const files = [fileOf(request), request.containerId];
  return foldersOf(request).flatMap((folder) => files.map((file) => `${folder}/${file}`));
}

/** Neither part can hold a colon. */
function fileOf({ containerId, ifname }: Attachment): string {
  return `${containerId}:${ifname}`;
}

/** The first is written to. */
function foldersOf({ config }: Pick<CniRequest, 'config'>): string[] {
  const dataDir = optionalText(config, 'dataDir');
  return dataDir ? [dataDir] : [DATA_DIR, FLANNELS_DATA_DIR];
}
