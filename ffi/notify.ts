/**
 * Unix datagrams, which neither Bun nor Node can send: for sd_notify(3).
 *
 * @module
 */
import { addressOf, checked, libc } from './libc.ts';

/** bits/socket.h, bits/socket_type.h */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
/** asm-generic/socket.h; on a 64-bit machine this number takes a `struct timeval` of two 64-bit words. */
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
/** bits/socket.h: a receiver that is gone is an error, not a signal. */
const MSG_NOSIGNAL = 0x4000;
const EINVAL = 22;

/** sys/un.h: a path and its final zero byte take 108 bytes; an abstract name has no final byte. */
const SUN_PATH_BYTES = 108;

/** A manager whose queue is full must not hold the agent up for longer. */
const SEND_TIMEOUT_US = 500_000n;

/**
 * The bytes of a `struct sockaddr_un` (unix(7)); a leading `@` stands for the zero byte of an abstract name.
 *
 * @returns `undefined` for a name that is empty, too long or holds a zero byte
 */
export function unixAddress(path: string): Uint8Array | undefined {
  const name = new TextEncoder().encode(path);
  const abstract = path.startsWith('@');
  const length = abstract ? name.length : name.length + 1;
  if (name.length === 0 || length > SUN_PATH_BYTES || name.includes(0)) return undefined;
  const address = new Uint8Array(2 + length);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(name, 2);
  if (abstract) address[2] = 0;
  return address;
}

/**
 * Sends one datagram to a Unix socket; a leading `@` names an abstract one.
 *
 * @returns 0, or `-errno`
 */
export function sendDatagram(path: string, text: string): number {
  const address = unixAddress(path);
  const bytes = new TextEncoder().encode(text);
  if (address === undefined || bytes.length === 0) return -EINVAL;
  const fd = checked(libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd < 0) return fd;
  const timeout = new Uint8Array(new BigInt64Array([0n, SEND_TIMEOUT_US]).buffer);
  libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, addressOf(timeout), timeout.length);
  const sent = checked(
    libc.sendto(fd, addressOf(bytes), bytes.length, MSG_NOSIGNAL, addressOf(address), address.length),
  );
  libc.close(fd);
  return Math.min(sent, 0);
}
