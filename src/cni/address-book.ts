/**
 * Which pod has which address, on disk in the form of the reference plugin `host-local`: a folder for each network,
 * in it a file for each address with container and interface, the last address given of each set of ranges, and a
 * lock. Either program can go on with what the other has written.
 *
 * @module
 */

import { closeFile, listFolder, O, readFile, removeFile, renameFile, writeFile } from '../../ffi/files.ts';
import { nextAddress, type PodRange, rangeHolds, rangeText } from '../ipam/pod-ranges.ts';
import { type Ip, parseIp } from '../model/ip.ts';
import { ERRNO } from '../netlink/error.ts';
import type { Attachment } from './attachment.ts';
import { CniAbort, cniFailure } from './failure.ts';
import { ioFailure, need } from './io.ts';
import { lockFolder } from './locked-folder.ts';

/** An address of a pod, and what the kernel needs to know about it. */
export interface GivenAddress {
  readonly ip: Ip;
  readonly range: PodRange;
}

/** What {@link AddressBook.give} gives from. */
export interface Giving {
  /** One address of each set. */
  readonly sets: readonly (readonly PodRange[])[];
  /** Addresses that somebody uses without having been given them here. */
  readonly inUse: ReadonlySet<Ip>;
  /** Folders like this one, in which others have written addresses down. They are looked at without their locks. */
  readonly otherBooks: readonly string[];
}

/** The folder of one network, locked for as long as it is open. */
export class AddressBook implements Disposable {
  readonly #folder: string;
  readonly #lock: number;

  /** Opens the book of a folder, or gives back `undefined` if there is none. Waits for the lock. */
  static ofFolder(folder: string): AddressBook | undefined {
    return namesIn(folder).length > 0 ? new AddressBook(folder) : undefined;
  }

  /** Makes the folder if there is none, and waits for the lock. Throws {@link CniAbort} if it cannot be used. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#lock = lockFolder(folder);
  }

  /** Gives one address of each set, all or none. Throws {@link CniAbort} if that cannot be. */
  give(owner: Attachment, { sets, inUse, otherBooks }: Giving): GivenAddress[] {
    const taken = this.#read();
    const folders = otherBooks.filter((folder) => folder !== this.#folder);
    const elsewhere = new Map(folders.map((folder) => [folder, new Set(addressesIn(folder))]));
    const others = [inUse, ...elsewhere.values()];
    const mine = [...taken].filter(([, holder]) => holder === ownerText(owner)).map(([ip]) => ip);
    const twice = mine.find((ip) => sets.flat().some((range) => rangeHolds(range, ip)));
    if (twice !== undefined) {
      const msg = `${owner.containerId} has ${twice} already for ${owner.ifname}`;
      throw new CniAbort(cniFailure('OWN', msg, 'DEL gives it back; a container is added once'));
    }
    const given: GivenAddress[] = [];
    try {
      for (const [i, set] of sets.entries()) {
        const last = this.#last(i);
        const isTaken = (ip: Ip) => taken.has(ip) || others.some((each) => each.has(ip));
        const next = nextAddress(set, { last, isTaken });
        if (next === undefined) throw exhausted(set, [[this.#folder, taken], ...elsewhere]);
        this.#write(this.#pathOf(next.ip), ownerText(owner));
        given.push(next);
        this.#write(this.#lastPath(i), next.ip);
      }
    } catch (thrown) {
      for (const { ip } of given) removeFile(this.#pathOf(ip));
      throw thrown;
    }
    return given;
  }

  /** Gives back all that an attachment has; nothing if it has nothing. */
  release({ containerId, ifname }: Attachment): void {
    for (const [ip, holder] of this.#read()) {
      // Long ago `host-local` wrote no interface.
      if (holder === ownerText({ containerId, ifname }) || holder === containerId) this.#remove(ip);
    }
  }

  /** The addresses that an attachment has. */
  addressesOf(owner: Attachment): Ip[] {
    return [...this.#read()].filter(([, holder]) => holder === ownerText(owner)).map(([ip]) => ip);
  }

  /** The interfaces for which a container has addresses. */
  interfacesOf(containerId: string): string[] {
    const holders = [...new Set(this.#read().values())].map((holder) => holder.split(/\r?\n/));
    return holders.flatMap(([id, ifname]) => (id === containerId && ifname !== undefined ? [ifname] : []));
  }

  /** Lets go of the lock. */
  [Symbol.dispose](): void {
    closeFile(this.#lock);
  }

  /** Every address that is taken, with the text that says by whom. */
  #read(): Map<Ip, string> {
    const entries = new Map<Ip, string>();
    for (const name of namesIn(this.#folder)) {
      const ip = parseIp(name);
      if (ip === undefined) continue;
      const path = this.#pathOf(ip);
      const holder = String(need(`read ${path}`, readFile(path))).trim();
      // Who is killed between making a file and writing it leaves it empty; nobody else writes while we hold the lock.
      if (holder !== '') entries.set(ip, holder);
    }
    return entries;
  }

  #remove(ip: Ip): void {
    need(`remove ${this.#pathOf(ip)}`, removeFile(this.#pathOf(ip)));
  }

  #last(set: number): Ip | undefined {
    // It only says where to begin.
    const text = readFile(this.#lastPath(set));
    return typeof text === 'string' ? parseIp(text.trim()) : undefined;
  }

  /** In one step, so that who is killed leaves the whole file or none. */
  #write(path: string, text: string): void {
    const draft = `${this.#folder}/draft`;
    const written = writeFile(draft, { text, flags: O.CREAT | O.TRUNC, mode: 0o644 });
    const result = written < 0 ? written : renameFile(draft, path);
    if (result >= 0) return;
    removeFile(draft);
    throw ioFailure(`write ${path}`, -result);
  }

  #pathOf(ip: Ip): string {
    return `${this.#folder}/${ip}`;
  }

  #lastPath(set: number): string {
    return `${this.#folder}/last_reserved_ip.${set}`;
  }
}

function addressesIn(folder: string): Ip[] {
  return namesIn(folder).flatMap((name) => parseIp(name) ?? []);
}

function namesIn(folder: string): string[] {
  const names = listFolder(folder);
  if (typeof names !== 'number') return names;
  if (names === -ERRNO.ENOENT) return [];
  throw ioFailure(`read ${folder}`, -names);
}

/** As `host-local` writes it: `disk.LineBreak` is that of Windows. */
function ownerText({ containerId, ifname }: Attachment): string {
  return `${containerId}\r\n${ifname}`;
}

/** Folders, this one first, and what is written down there by address. */
type Books = readonly (readonly [string, { readonly size: number }])[];

function exhausted(set: readonly PodRange[], books: Books): CniAbort {
  const ranges = set.map(rangeText).join(', ');
  const counts = books.filter(([, { size }], i) => i === 0 || size > 0);
  const told = counts.map(([folder, { size }]) => `${folder} has ${size} addresses given`).join(', ');
  return new CniAbort(
    cniFailure(
      'OWN',
      `no IP addresses available in range set: ${ranges}`,
      `${told}; each file there names the container that has it`,
    ),
  );
}
