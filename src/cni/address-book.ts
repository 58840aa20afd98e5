/**
 * Which pod has which address, on disk in the form of the reference plugin `host-local`: a folder for each network,
 * in it a file for each address with container and interface, the last address given of each set of ranges, and a
 * lock. Either program can go on with what the other has written.
 *
 * @module
 */
import {
  closeSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { nextAddress, type PodRange, rangeHolds, rangeText } from '../ipam/pod-ranges.ts';
import { type Ip, parseIp } from '../model/ip.ts';
import { CniAbort, cniFailure } from './failure.ts';
import { doing, lockFolder } from './locked-folder.ts';

/** Whose address it is. */
export interface Attachment {
  readonly containerId: string;
  readonly ifname: string;
}

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
}

/** The folder of one network, locked for as long as it is open. */
export class AddressBook implements Disposable {
  readonly #folder: string;
  readonly #lock: number;

  /** Whether there is such a folder. */
  static exists(folder: string): boolean {
    return existsSync(folder);
  }

  /** The addresses that a folder names as taken, without its lock; none if there is no folder. */
  static peek(folder: string): Ip[] {
    if (!existsSync(folder)) return [];
    return doing(`read ${folder}`, () => readdirSync(folder).flatMap((name) => parseIp(name) ?? []));
  }

  /** Waits for the lock. Throws {@link CniAbort} if the folder cannot be used. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#lock = lockFolder(folder);
  }

  /** Gives one address of each set, all or none. Throws {@link CniAbort} if that cannot be. */
  give(owner: Attachment, { sets, inUse }: Giving): GivenAddress[] {
    const taken = this.#read();
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
        const next = nextAddress(set, { last, isTaken: (ip) => taken.has(ip) || inUse.has(ip) });
        if (next === undefined) throw exhausted(set, { folder: this.#folder, count: taken.size });
        this.#write(next.ip, ownerText(owner));
        given.push(next);
        this.#setLast(i, next.ip);
      }
    } catch (thrown) {
      for (const { ip } of given) rmSync(join(this.#folder, ip), { force: true });
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
    closeSync(this.#lock);
  }

  /** Every address that is taken, with the text that says by whom. */
  #read(): Map<Ip, string> {
    return doing(`read ${this.#folder}`, () => {
      const entries = new Map<Ip, string>();
      for (const name of readdirSync(this.#folder)) {
        const ip = parseIp(name);
        if (ip === undefined) continue;
        const holder = readFileSync(join(this.#folder, name), 'utf8').trim();
        // Who is killed between making a file and writing it leaves it empty; nobody else writes while we hold the lock.
        if (holder !== '') entries.set(ip, holder);
      }
      return entries;
    });
  }

  /** In one step, so that who is killed leaves the whole file or none. */
  #write(ip: Ip, holder: string): void {
    doing(`write ${join(this.#folder, ip)}`, () => {
      const path = join(this.#folder, ip);
      const draft = join(this.#folder, 'draft');
      writeFileSync(draft, holder, { mode: 0o644 });
      rmSync(path, { force: true });
      linkSync(draft, path);
      rmSync(draft);
    });
  }

  #remove(ip: Ip): void {
    doing(`remove ${join(this.#folder, ip)}`, () => rmSync(join(this.#folder, ip), { force: true }));
  }

  #last(set: number): Ip | undefined {
    try {
      return parseIp(readFileSync(this.#lastPath(set), 'utf8').trim());
    } catch {
      // It only says where to begin.
      return undefined;
    }
  }

  #setLast(set: number, ip: Ip): void {
    doing(`write ${this.#lastPath(set)}`, () => {
      const draft = join(this.#folder, 'draft');
      writeFileSync(draft, ip, { mode: 0o644 });
      renameSync(draft, this.#lastPath(set));
    });
  }

  #lastPath(set: number): string {
    return join(this.#folder, `last_reserved_ip.${set}`);
  }
}

/** As `host-local` writes it: `disk.LineBreak` is that of Windows. */
function ownerText({ containerId, ifname }: Attachment): string {
  return `${containerId}\r\n${ifname}`;
}

function exhausted(set: readonly PodRange[], { folder, count }: { folder: string; count: number }): CniAbort {
  const ranges = set.map(rangeText).join(', ');
  return new CniAbort(
    cniFailure(
      'OWN',
      `no IP addresses available in range set: ${ranges}`,
      `${folder} has ${count} addresses given; each file there names the container that has it`,
    ),
  );
}
