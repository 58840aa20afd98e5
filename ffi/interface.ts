/**
 * Interfaces of the thread's network namespace by ioctl (`netdevice(7)`): for a process that wants two words of one
 * interface, and whose life netlink's codecs would make a fifth longer.
 *
 * @module
 */
import { addressOf, bindings, checked, libc } from './libc.ts';

const { ioctl } = bindings({ ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' } });

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
/** linux/sockios.h */
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCGIFADDR = 0x8915;
const SIOCGIFNETMASK = 0x891b;
/** linux/if.h, `struct ifreq`: a name of 16 bytes, then what is asked or told; a `sockaddr_in` has its address at 4. */
const IFREQ_BYTES = 40;
const VALUE_AT = 16;
const ADDRESS_AT = VALUE_AT + 4;

/** One interface, asked in the namespace that it was opened in, wherever the thread is later. */
export class Interface implements Disposable {
  readonly #fd: number;
  readonly #request = new Uint8Array(IFREQ_BYTES);
  readonly #view = new DataView(this.#request.buffer);

  /**
   * @param name at most 15 ASCII characters
   * @throws if the kernel refuses a socket
   */
  constructor(name: string) {
    this.#fd = checked(libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (this.#fd < 0) throw new Error(`Cannot open a socket: errno ${-this.#fd}`);
    new TextEncoder().encodeInto(name, this.#request.subarray(0, VALUE_AT - 1));
  }

  /** IFF_* of `linux/if.h`, or `-errno`: `-ENODEV` (-19) if there is no such interface. */
  flags(): number {
    const result = this.#ask(SIOCGIFFLAGS);
    return result < 0 ? result : this.#view.getUint16(VALUE_AT, true);
  }

  /** Sets IFF_*; the others are cleared. Gives back 0 or `-errno`. */
  setFlags(flags: number): number {
    this.#view.setUint16(VALUE_AT, flags, true);
    return this.#ask(SIOCSIFFLAGS);
  }

  /** The first IPv4 address and the length of its prefix; `undefined` if there is none. */
  address(): { readonly ip: string; readonly length: number } | undefined {
    if (this.#ask(SIOCGIFADDR) < 0) return undefined;
    const ip = this.#request.subarray(ADDRESS_AT, ADDRESS_AT + 4).join('.');
    if (this.#ask(SIOCGIFNETMASK) < 0) return undefined;
    // Ones, then zeros.
    const mask = this.#view.getUint32(ADDRESS_AT);
    return { ip, length: Math.clz32(~mask) };
  }

  /** Closes the socket. */
  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }

  #ask(request: number): number {
    return checked(ioctl(this.#fd, request, addressOf(this.#request)));
  }
}
