/**
 * The first packet of an SCTP association and its answer (RFC 9260), by raw sockets: a kernel without SCTP still tracks and
 * translates it.
 *
 * @module
 */
import { addressOf, checked, libc } from '../../ffi/libc.ts';
import { inNetns, type Netns } from '../../ffi/netns.ts';
import { type Ip, writeIp } from '../../src/model/ip.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW_NONBLOCK = 3 | 0x800 | 0x80000;
const IPPROTO_SCTP = 132;
const INIT = 1;
const INIT_ACK = 2;
/** Of every association here. */
const TAG = 0x01020304;

/** What of a packet is looked at. */
export interface SctpPacket {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly isAnswer: boolean;
}

/** A raw socket for SCTP in a namespace. */
export class SctpSocket implements Disposable {
  readonly #fd: number;
  readonly #family: 4 | 6;

  constructor(netns: Netns, family: 4 | 6) {
    const domain = family === 4 ? AF_INET : AF_INET6;
    this.#fd = inNetns(netns, () => checked(libc.socket(domain, SOCK_RAW_NONBLOCK, IPPROTO_SCTP)));
    this.#family = family;
    if (this.#fd < 0) throw new Error(`Cannot open a raw socket: errno ${-this.#fd}`);
  }

  send(to: Ip, { sourcePort, destinationPort, isAnswer }: SctpPacket): void {
    const packet = new DataView(new ArrayBuffer(32));
    packet.setUint16(0, sourcePort);
    packet.setUint16(2, destinationPort);
    packet.setUint32(4, isAnswer ? TAG : 0);
    packet.setUint8(12, isAnswer ? INIT_ACK : INIT);
    packet.setUint16(14, 20);
    packet.setUint32(16, TAG);
    packet.setUint32(20, 0xffff);
    packet.setUint16(24, 1);
    packet.setUint16(26, 1);
    const bytes = new Uint8Array(packet.buffer);
    packet.setUint32(8, crc32c(bytes), true);
    const address = new Uint8Array(28);
    address[0] = this.#family === 4 ? AF_INET : AF_INET6;
    writeIp(to, address, this.#family === 4 ? 4 : 8);
    const size = this.#family === 4 ? 16 : 28;
    const sent = checked(libc.sendto(this.#fd, addressOf(bytes), bytes.length, 0, addressOf(address), size));
    if (sent < 0) throw new Error(`Cannot send to ${to}: errno ${-sent}`);
  }

  /** The next packet, or `undefined` if there is none yet. */
  receive(): SctpPacket | undefined {
    const bytes = new Uint8Array(256);
    const length = libc.recv(this.#fd, addressOf(bytes), bytes.length, 0);
    // Of IPv4 the header comes, too.
    const at = this.#family === 4 ? ((bytes[0] ?? 0) & 0xf) * 4 : 0;
    if (length < at + 16) return undefined;
    const view = new DataView(bytes.buffer, at);
    return {
      sourcePort: view.getUint16(0),
      destinationPort: view.getUint16(2),
      isAnswer: view.getUint8(12) === INIT_ACK,
    };
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}

/** RFC 9260, appendix A. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x82f63b78);
  }
  return ~crc >>> 0;
}
