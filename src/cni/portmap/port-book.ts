/**
 * Which containers have which hostPorts: a folder with a file for each interface of a container that has any. What is
 * written there is what should be in the kernel, so it lies where a reboot forgets it, like the kernel.
 *
 * @module
 */
import { closeSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HostPorts, LOCALNET_SUFFIX, localnetsIn } from '../../model/host-ports.ts';
import type { Attachment } from '../attachment.ts';
import { doing } from '../io.ts';
import { lockFolder } from '../locked-folder.ts';
import { ownNamespace } from '../namespace.ts';
import { portsFile, SEPARATOR } from './folder.ts';
import { parsePorts } from './port-record.ts';

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
    const names = doing(`read ${this.#folder}`, () => readdirSync(this.#folder));
    return names.flatMap((name) => {
      if (!name.includes(SEPARATOR)) return [];
      const path = join(this.#folder, name);
      const ports = parsePorts(doing(`read ${path}`, () => readFileSync(path, 'utf8')));
      // A copy under another name would have the ports of its original.
      return ports !== undefined && portsFile(this.#folder, ports) === path ? ports : [];
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
    return localnetsIn(readdirSync(this.#folder));
  }

  /** Notes that `route_localnet` of a link is ours, or is not any more. */
  noteLocalnet(link: string, isOurs: boolean): void {
    const path = join(this.#folder, `${link}${LOCALNET_SUFFIX}`);
    doing(`write ${path}`, () => (isOurs ? writeFileSync(path, '') : rmSync(path, { force: true })));
  }

  /** Lets go of the lock. */
  [Symbol.dispose](): void {
    closeSync(this.#lock);
  }
}
