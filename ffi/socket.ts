/**
 * Netlink sockets of the thread's current network namespace (`netlink(7)`).
 *
 * @module
 */
import type { FilterInstruction, Transport } from '../src/netlink/session.ts';
import { addressOf, checked, libc } from './libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const SOCK_NONBLOCK = 0x800;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_RCVBUFFORCE = 33;
const SO_RCVBUF = 8;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const EINVAL = 22;
const EMSGSIZE = 90;

/** The value of a socket option on its way to the kernel. */
const integer = new Int32Array(1);

/** A bound netlink socket. */
export interface NetlinkSocket extends Transport {
  readonly fd: number;
  /** The address that the kernel gave it: what it asks for is announced with this `nlmsg_pid`. */
  readonly portId: number;
  close(): void;
}

/** What {@link openNetlink} opens. */
export interface NetlinkOptions {
  /** NETLINK_* of `linux/netlink.h`. */
  readonly protocol: number;
  /** Multicast groups to join, as bits; 0 for a socket that only asks. */
  readonly groups?: number;
  /** Room for what is not read yet; the kernel's default if absent. */
  readonly receiveBufferBytes?: number;
}

/** Opens and binds a socket, or gives back `-errno`. Asking for extended errors may fail on old kernels. */
export function openNetlink({
  protocol,
  groups = 0,
  receiveBufferBytes,
}: NetlinkOptions): NetlinkSocket | number {
  const fd = checked(libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (fd < 0) return fd;
  if (
    receiveBufferBytes !== undefined &&
    setInteger(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes) < 0
  ) {
    setInteger(fd, SOL_SOCKET, SO_RCVBUF, receiveBufferBytes);
  }
  setInteger(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  setInteger(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  setInteger(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  const address = new Uint8Array(12);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(8, groups, true);
  const bound = checked(libc.bind(fd, addressOf(address), address.length));
  const length = new Int32Array([address.length]);
  const named = bound < 0 ? bound : checked(libc.getsockname(fd, addressOf(address), addressOf(length)));
  if (named < 0) {
    libc.close(fd);
    return named;
  }
  return {
    fd,
    portId: view.getUint32(4, true),
    send: (bytes, size) => checked(libc.send(fd, addressOf(bytes), size, 0)),
    receive(into) {
      const size = checked(libc.recv(fd, addressOf(into), into.length, MSG_DONTWAIT | MSG_TRUNC));
      return size > into.length ? -EMSGSIZE : size;
    },
    close: () => void libc.close(fd),
  };
}

/** Replaces the socket's filter: what it refuses never enters the receive buffer. Gives back 0 or `-errno`. */
export function attachFilter(fd: number, program: readonly FilterInstruction[]): number {
  const instructions = new Uint8Array(program.length * 8);
  const view = new DataView(instructions.buffer);
  program.forEach(({ code, jt, jf, k }, i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k, true);
  });
  const fprog = new Uint8Array(16);
  const header = new DataView(fprog.buffer);
  header.setUint16(0, program.length, true);
  header.setBigUint64(8, BigInt(addressOf(instructions)), true);
  const result = checked(libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, addressOf(fprog), fprog.length));
  // The kernel reads the program through its address: it must be alive until here.
  return instructions.length === 0 ? -EINVAL : result;
}

function setInteger(fd: number, level: number, name: number, value: number): number {
  integer[0] = value;
  return checked(libc.setsockopt(fd, level, name, addressOf(integer), 4));
}
