/**
 * Netlink messages in a datagram (`struct nlmsghdr`, `linux/netlink.h`).
 *
 * @module
 */
import { align4, DecodeError, NLMSG_HDRLEN, Reader } from './wire.ts';

/** `struct nlmsghdr` without what only the session needs. */
export interface MessageHeader {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The socket that asked, or 0 for the kernel's own doing. */
  readonly portId: number;
}

/** Calls `visit` for every message in a datagram, the reader narrowed to the message's payload. */
export function eachMessage(
  bytes: Uint8Array,
  length: number,
  visit: (header: MessageHeader, payload: Reader) => void,
): void {
  const reader = new Reader(bytes, 0, length);
  let next = 0;
  while (length - next >= NLMSG_HDRLEN) {
    const start = next;
    const size = reader.view.getUint32(start, true);
    if (size < NLMSG_HDRLEN || start + size > length)
      throw new DecodeError(`Message length ${size} at ${start}`);
    reader.at = start + NLMSG_HDRLEN;
    reader.end = start + size;
    visit(
      {
        type: reader.view.getUint16(start + 4, true),
        flags: reader.view.getUint16(start + 6, true),
        sequence: reader.view.getUint32(start + 8, true),
        portId: reader.view.getUint32(start + 12, true),
      },
      reader,
    );
    next = start + align4(size);
  }
}
