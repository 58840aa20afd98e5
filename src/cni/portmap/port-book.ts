/**
 * Which containers have which hostPorts: a folder with a file for each interface of a container that has any. What is
 * written there is what should be in the kernel, so it lies where a reboot forgets it, like the kernel.
 *
 * @module
 */
import { closeSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostPorts } from '../../model/host-ports.ts';
import { parseCidr } from '../../model/ip.ts';
import type { Attachment } from '../attachment.ts';
import { CniAbort } from '../failure.ts';
import { doing } from '../io.ts';
import {
  isJsonObject,
  optionalCount,
  optionalFlag,
  optionalObjects,
  optionalText,
  type Place,
} from '../json.ts';
import { lockFolder } from '../locked-folder.ts';
import { ownNamespace } from '../namespace.ts';
import { portsFile, SEPARATOR } from './folder.ts';
import { readMapping } from './port-config.ts';

const LOCALNET = '.localnet';

/** The folder, locked for as long as it is open. */
export class PortBook implements Disposable {
  readonly #folder: string;
  readonly #lock: number;

  /** Waits for the lock, unless the caller has it already. Throws {@link CniAbort} if the folder cannot be used. */
  constructor(folder: string, lock: number = lockFolder(folder)) {
    this.#folder = folder;
    this.#lock = lock;
  }

  /** All of this node that is written down; a file that cannot be understood is nobody's. */
  read(): HostPorts[] {
    const own = ownNamespace();
    return this.#readAll().filter(({ nodeNamespace }) => nodeNamespace === own);
  }

  #readAll(): HostPorts[] {
    return doing(`read ${this.#folder}`, () => readdirSync(this.#folder)).flatMap((name) => {
      if (!name.includes(SEPARATOR)) return [];
      try {
        return parse(readFileSync(join(this.#folder, name), 'utf8')) ?? [];
      } catch (thrown) {
        if (thrown instanceof CniAbort || thrown instanceof SyntaxError) return [];
        throw thrown;
      }
    });
  }

  /** Writes one down, in one step. */
  write(ports: HostPorts): void {
    doing(`write in ${this.#folder}`, () => {
      const draft = join(this.#folder, 'draft');
      writeFileSync(draft, JSON.stringify(ports), { mode: 0o644 });
      renameSync(draft, portsFile(this.#folder, ports));
    });
  }

  /** Forgets one. */
  remove(attachment: Attachment): void {
    const path = portsFile(this.#folder, attachment);
    doing(`remove ${path}`, () => rmSync(path, { force: true }));
  }

  /** The links whose `route_localnet` was set for a hostPort, and was not before. */
  localnets(): string[] {
    return readdirSync(this.#folder).flatMap((name) =>
      name.endsWith(LOCALNET) ? [name.slice(0, -LOCALNET.length)] : [],
    );
  }

  /** Notes that `route_localnet` of a link is ours, or is not any more. */
  noteLocalnet(link: string, isOurs: boolean): void {
    const path = join(this.#folder, `${link}${LOCALNET}`);
    doing(`write ${path}`, () => (isOurs ? writeFileSync(path, '') : rmSync(path, { force: true })));
  }

  /** Lets go of the lock. */
  [Symbol.dispose](): void {
    closeSync(this.#lock);
  }
}

/** What {@link PortBook.write} has written, or `undefined` if it is not that. Throws what the members say. */
function parse(text: string): HostPorts | undefined {
  const object: unknown = JSON.parse(text);
  if (!isJsonObject(object)) return undefined;
  const place: Place = { object, path: '' };
  const string = (key: string) => optionalText(place, key) ?? '';
  const addresses = optionalObjects(place, 'addresses').flatMap(
    (each) => parseCidr(`${optionalText(each, 'ip')}/${optionalCount(each, 'length')}`) ?? [],
  );
  return {
    containerId: string('containerId'),
    ifname: string('ifname'),
    network: string('network'),
    netns: string('netns'),
    nodeNamespace: optionalCount(place, 'nodeNamespace') ?? 0,
    addresses,
    mappings: optionalObjects(place, 'mappings').map(readMapping),
    mark: optionalCount(place, 'mark') ?? 0,
    masqueradeAll: optionalFlag(place, 'masqueradeAll') ?? false,
    outbound: optionalFlag(place, 'outbound') ?? false,
    link: string('link'),
  };
}
