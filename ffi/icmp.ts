/**
 * ICMP echo (RFC 792, RFC 4443) by raw sockets of the thread's current network namespace. Nothing waits:
 * requests go out one by one, replies arrive as events, and any number may be on their way.
 *
 * @module
 */
import { addressOf, checked, libc } from './libc.ts';

declare module 'bun' {
  // The runtime takes a descriptor (and @types/bun describes the options), but no declared overload does.
  function connect(options: FdSocketOptions): Promise<Socket>;
}

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;
const MSG_DONTWAIT = 0x40;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
/** `linux/icmp.h`. */
const SOL_RAW = 255;
const ICMP_FILTER = 1;
const ECHO_REQUEST = 8;
const ECHO_REPLY = 0;
/** `linux/icmpv6.h`. */
const ICMPV6_FILTER = 1;
const ECHO_REQUEST_V6 = 128;
const ECHO_REPLY_V6 = 129;
/** Header and 56 bytes of payload, as every `ping` sends. */
const ECHO_BYTES = 64;

/** Called for every reply to this socket's requests, with `performance.now()` at its arrival. */
export type OnEchoReply = (sequence: number, atMs: number) => void;

/** One sender of echo requests in one namespace. */
export interface EchoSocket extends Disposable {
  /**
   * Sends an echo request.
   *
   * @param address 4 or 16 bytes in network order, as the socket's family says
   * @param sequence 0 to 65535
   * @returns 0, or `-errno` if the kernel would not send it
   */
  send(address: Uint8Array, sequence: number): number;
  /** Closing twice does nothing. */
  close(): void;
}

/** What {@link openEcho} opens. */
export interface EchoOptions {
  readonly family: 4 | 6;
  /** 0 to 65535; tells this socket's replies from those of others in the same namespace. */
  readonly id: number;
  readonly onReply: OnEchoReply;
}

/**
 * Opens an echo socket in the thread's current namespace (CAP_NET_RAW). It keeps working when the thread has
 * left that.
 *
 * @throws if the kernel refuses the socket
 */
export function openEcho({ family, id, onReply }: EchoOptions): EchoSocket {
  const fd = family === 4 ? openRaw(AF_INET, IPPROTO_ICMP) : openRaw(AF_INET6, IPPROTO_ICMPV6);
  const filtered = family === 4 ? acceptOnlyReplies(fd) : acceptOnlyRepliesV6(fd);
  if (filtered < 0) {
    libc.close(fd);
    throw new Error(`Cannot filter ICMP messages: errno ${-filtered}`);
  }
  const data = (_socket: unknown, bytes: Uint8Array) => {
    const sequence = readReply(bytes, family, id);
    if (sequence !== undefined) onReply(sequence, performance.now());
  };
  const connection = Bun.connect({ fd, socket: { data } });
  const request = new Uint8Array(ECHO_BYTES);
  const destination = new Uint8Array(family === 4 ? 16 : 28);
  new DataView(destination.buffer).setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
  let open = true;
  const close = () => {
    if (open) void connection.then((socket) => socket.terminate());
    open = false;
  };
  return {
    send(address, sequence) {
      if (!open) throw new Error('The echo socket is closed');
      destination.set(address, family === 4 ? 4 : 8);
      writeRequest(request, { family, id, sequence });
      const to = addressOf(destination);
      const size = destination.length;
      const sent = checked(libc.sendto(fd, addressOf(request), ECHO_BYTES, MSG_DONTWAIT, to, size));
      return Math.min(sent, 0);
    },
    close,
    [Symbol.dispose]: close,
  };
}

function openRaw(domain: number, protocol: number): number {
  const fd = checked(libc.socket(domain, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (fd < 0) throw new Error(`Cannot open a raw socket: errno ${-fd}`);
  return fd;
}

/** The filter is a bit mask of types that are kept out: a raw socket would get every ICMP message else. */
function acceptOnlyReplies(fd: number): number {
  const refused = new Int32Array([~(1 << ECHO_REPLY)]);
  return checked(libc.setsockopt(fd, SOL_RAW, ICMP_FILTER, addressOf(refused), refused.byteLength));
}

function acceptOnlyRepliesV6(fd: number): number {
  const refused = new Int32Array(8).fill(-1);
  refused[ECHO_REPLY_V6 >> 5] = ~(1 << (ECHO_REPLY_V6 & 31));
  return checked(libc.setsockopt(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, addressOf(refused), refused.byteLength));
}

/** The sequence number of a reply to `id`. IPv4 sockets get the IP header as well, IPv6 ones do not. */
function readReply(bytes: Uint8Array, family: 4 | 6, id: number): number | undefined {
  const start = family === 4 ? ((bytes[0] ?? 0) & 0x0f) * 4 : 0;
  if (bytes.length < start + 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + start);
  if (view.getUint8(0) !== (family === 4 ? ECHO_REPLY : ECHO_REPLY_V6)) return undefined;
  return view.getUint16(4) === id ? view.getUint16(6) : undefined;
}

function writeRequest(into: Uint8Array, { family, id, sequence }: EchoHeader): void {
  const view = new DataView(into.buffer);
  view.setUint8(0, family === 4 ? ECHO_REQUEST : ECHO_REQUEST_V6);
  view.setUint16(2, 0);
  view.setUint16(4, id);
  view.setUint16(6, sequence);
  // The kernel fills in ICMPv6's checksum, since that covers the source address (RFC 3542, 3.1).
  if (family === 4) view.setUint16(2, checksum(view));
}

interface EchoHeader {
  readonly family: 4 | 6;
  readonly id: number;
  readonly sequence: number;
}

/** RFC 1071: the complement of the ones' complement sum of all 16-bit words. */
function checksum(view: DataView): number {
  let sum = 0;
  for (let at = 0; at < view.byteLength; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
