/**
 * What the plugin remembers of each interface that it added until its DEL: the delegate's configuration.
 *
 * @module
 */
import {
  closeFile,
  isThere,
  listFolder,
  makeFolder,
  O,
  readFile,
  removeFile,
  writeFile,
} from '../../../ffi/files.ts';
import type { Attachment } from '../attachment.ts';
import { ioFailure, need } from '../io.ts';
import { optionalText, type Place } from '../json.ts';
import { lockFileAt } from '../locked-folder.ts';
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

/**
 * Waits until no other ADD or DEL of this interface is at work, and keeps others waiting until it is disposed of: if they
 * crossed, a pod could have an address that was given back meanwhile. It makes the interface's file. Throws {@link CniAbort}
 * if that cannot be, unless `mayFail`, as DEL may: then nobody is kept waiting.
 */
export function takeTurn(request: Asker, { mayFail }: { readonly mayFail: boolean }): Disposable {
  const [folder = DATA_DIR] = foldersOf(request);
  const made = makeFolder(folder, 0o700);
  if (!mayFail) need(`make ${folder}`, made);
  const path = ownPath(folder, request);
  const fd = lockFileAt(path, O.CREAT);
  if (!mayFail) need(`open ${path}`, fd);
  return {
    [Symbol.dispose]: () => {
      if (fd >= 0) closeFile(fd);
    },
  };
}

/**
 * Remembers the delegate's configuration, and gives back what has it remembered as before. Throws {@link CniAbort} if it
 * cannot be written.
 */
export function remember(request: Asker, text: string): () => void {
  const [folder = DATA_DIR] = foldersOf(request);
  const path = ownPath(folder, request);
  const former = readFile(path);
  const undo = () => {
    if (typeof former === 'number' || former === '') removeFile(path);
    else writeFile(path, { text: former, flags: O.TRUNC });
  };
  const error = writeFile(path, { text, flags: O.CREAT | O.TRUNC, mode: 0o600 });
  if (error === 0) return undo;
  undo();
  throw ioFailure(`write ${path}`, -error);
}

/** What is remembered of an interface, also by flannel; `undefined` if nothing is, or nothing that can be read. */
export function remembered(request: Asker): Remembered | undefined {
  for (const folder of foldersOf(request)) {
    const found = readAt(ownPath(folder, request), request) ?? readAt(flannelsPath(folder, request), request);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Forgets an interface, also what a killed ADD has half written. Throws {@link CniAbort} if its file stays. */
export function forget(request: Asker): void {
  for (const folder of foldersOf(request)) {
    const path = ownPath(folder, request);
    // On a read-only file system not even what is not there can be removed.
    if (isThere(path)) need(`remove ${path}`, removeFile(path));
    const flannels = flannelsPath(folder, request);
    if (readAt(flannels, request) !== undefined) need(`remove ${flannels}`, removeFile(flannels));
  }
}

/** By the container alone, a file may be of its interface in another network. */
function readAt(path: string, { name }: Asker): Remembered | undefined {
  const text = readFile(path);
  const place = typeof text === 'string' ? parsed(text) : undefined;
  return typeof text === 'string' && place !== undefined && nameOf(place) === name
    ? { text, place }
    : undefined;
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

/** Neither part can hold a colon. */
function ownPath(folder: string, { containerId, ifname }: Attachment): string {
  return `${folder}/${containerId}:${ifname}`;
}

function flannelsPath(folder: string, { containerId }: Attachment): string {
  return `${folder}/${containerId}`;
}

/** The first is written to. */
function foldersOf({ config }: Pick<CniRequest, 'config'>): string[] {
  const dataDir = optionalText(config, 'dataDir');
  return dataDir ? [dataDir] : [DATA_DIR, FLANNELS_DATA_DIR];
}
