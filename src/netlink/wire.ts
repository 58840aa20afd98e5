/**
 * Cursors over netlink bytes: host byte order, 4-byte alignment (`linux/netlink.h`).
 *
 * @module
 */

/** Size of `struct nlmsghdr`. */
export const NLMSG_HDRLEN = 16;
/** Size of `struct nlattr`. */
export const NLA_HDRLEN = 4;
/** The attribute holds attributes. */
export const NLA_F_NESTED = 0x8000;
/** The bits of an attribute's type that are not flags. */
const NLA_TYPE_MASK = 0x3fff;

/** Bytes from the kernel that do not parse. Thrown by readers, caught by the session. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** Rounds up to netlink's alignment of 4. */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/** An append-only cursor over a fixed buffer; a value that does not fit is a programmer's error. */
export class Writer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where the next byte goes. */
  at = 0;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Reserves `count` zeroed bytes and returns where they begin. */
  skip(count: number): number {
    const start = this.at;
    if (start + count > this.bytes.length)
      throw new RangeError(`Netlink buffer of ${this.bytes.length} bytes is full`);
    // A loop is inlined where fill() would be a call, which costs more than a few bytes do.
    for (let i = start; i < start + count; i++) this.bytes[i] = 0;
    this.at = start + count;
    return start;
  }

  /** Opens an attribute; {@link closeAttribute} takes the position that this returns. */
  openAttribute(type: number): number {
    const start = this.skip(NLA_HDRLEN);
    this.view.setUint16(start + 2, type, true);
    return start;
  }

  /** Fills in the attribute's length and pads it. */
  closeAttribute(start: number): void {
    this.view.setUint16(start, this.at - start, true);
    this.skip(align4(this.at) - this.at);
  }
}

/** A bounded cursor over received bytes. Nothing that it returns refers to the buffer. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where the next byte is read. */
  at: number;
  /** The first byte that is not part of what is read. */
  end: number;
  /** The type of the attribute that {@link nextAttribute} found, without flags. */
  attributeType = 0;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = end;
  }

  /** Takes `count` bytes and returns where they begin. */
  take(count: number): number {
    const start = this.at;
    if (count < 0 || start + count > this.end)
      throw new DecodeError(`${count} bytes expected, ${this.end - start} left`);
    this.at = start + count;
    return start;
  }

  /**
   * The one attribute walker of the program. Narrows the reader to the payload of the next attribute before
   * `end`; the caller restores `at` and `end` from the returned position and its own `end`.
   *
   * @returns where the attribute after it begins, or -1 at the end
   */
  nextAttribute(end: number): number {
    if (end - this.at < NLA_HDRLEN) return -1;
    const start = this.at;
    const length = this.view.getUint16(start, true);
    if (length < NLA_HDRLEN || start + length > end)
      throw new DecodeError(`Attribute length ${length} at ${start}`);
    this.attributeType = this.view.getUint16(start + 2, true) & NLA_TYPE_MASK;
    this.at = start + NLA_HDRLEN;
    this.end = start + length;
    return Math.min(start + align4(length), end);
  }
}
