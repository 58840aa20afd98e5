/**
 * A service manager's ear: a real Unix datagram socket, bound to a path or to an abstract name.
 *
 * @module
 */
import { rmSync } from 'node:fs';
import { addressOf, checked, libc } from '../../ffi/libc.ts';
import { unixAddress } from '../../ffi/notify.ts';
import { eventually } from './agent-support.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/** Hears what services tell. An abstract name belongs to the network namespace that it is made in. */
export class Manager implements Disposable {
  /** What was heard, the oldest first. */
  readonly heard: string[] = [];
  readonly #fd: number;
  readonly #name: string;
  readonly #buffer = new Uint8Array(4_096);

  constructor(name: string) {
    this.#name = name;
    this.#fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM, 0));
    const address = unixAddress(name);
    if (this.#fd < 0 || address === undefined) throw new Error(`No socket for '${name}'`);
    const bound = checked(libc.bind(this.#fd, addressOf(address), address.length));
    if (bound < 0) throw new Error(`Cannot bind '${name}': ${bound}`);
  }

  /** Takes in what has come since. */
  listen(): readonly string[] {
    for (;;) {
      const length = checked(libc.recv(this.#fd, addressOf(this.#buffer), this.#buffer.length, MSG_DONTWAIT));
      if (length < 0) return this.heard;
      this.heard.push(new TextDecoder().decode(this.#buffer.subarray(0, length)));
    }
  }

  /** How often a message with this beginning was heard. */
  count(beginning: string): number {
    return this.listen().filter((text) => text.startsWith(beginning)).length;
  }

  /** Waits for a message with this beginning, after those that were there before, and gives it back. */
  next(beginning: string, after: number = this.heard.length): Promise<string> {
    return eventually(() => {
      const found = this.listen().find((text, i) => i >= after && text.startsWith(beginning));
      if (found === undefined) throw new Error(`No '${beginning}' in ${JSON.stringify(this.heard)}`);
      return found;
    });
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
    if (this.#name.startsWith('/')) rmSync(this.#name, { force: true });
  }
}
