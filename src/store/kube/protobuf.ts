/**
 * Reading protocol buffers, field by field: what is not wanted is stepped over without being looked at, which is what
 * a Node as a kubelet leaves it is mostly made of.
 *
 * Follows the wire format of protobuf.dev ("Encoding"). Input is hostile until it has been read to its end.
 *
 * @module
 */

/** Wire types. Groups (3 and 4) are not used by Kubernetes and refused. */
const VARINT = 0;
const I64 = 1;
const LEN = 2;
const I32 = 5;

/** One message, in a part of a buffer. */
export class ProtoReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #field = 0;
  #number = 0;
  #from = 0;
  #to = 0;
  #isBroken = false;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = Math.min(end, bytes.length);
  }

  /** Whether the message was cut off or is none. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** The number of the current field. */
  get field(): number {
    return this.#field;
  }

  /** Goes to the next field. False at the end, and where nothing more can be read. */
  next(): boolean {
    if (this.#at >= this.#end || this.#isBroken) return false;
    const tag = this.#varint();
    this.#field = Math.floor(tag / 8);
    this.#from = this.#to = this.#at;
    switch (tag % 8) {
      case VARINT:
        this.#number = this.#varint();
        break;
      case I64:
        this.#skip(8);
        break;
      case LEN:
        this.#skip(this.#varint(), true);
        break;
      case I32:
        this.#skip(4);
        break;
      default:
        this.#isBroken = true;
    }
    return !this.#isBroken;
  }

  /** The value of a varint field, exact up to 2^53. */
  number(): number {
    return this.#number;
  }

  /** The value of a string field. */
  text(): string {
    return this.#bytes.toString('utf8', this.#from, this.#to);
  }

  /** The value of a field that is a message. */
  message(): ProtoReader {
    return new ProtoReader(this.#bytes, this.#from, this.#to);
  }

  /** Whether the value of a bytes or string field begins with these bytes. */
  startsWith(prefix: Uint8Array): boolean {
    if (this.#to - this.#from < prefix.length) return false;
    for (let i = 0; i < prefix.length; i++) if (this.#bytes[this.#from + i] !== prefix[i]) return false;
    return true;
  }

  /** The value of a bytes field without its first bytes, as a message. */
  messageAfter(skipped: number): ProtoReader {
    return new ProtoReader(this.#bytes, Math.min(this.#from + skipped, this.#to), this.#to);
  }

  /** The value of a string field without its first bytes. */
  textAfter(skipped: number): string {
    return this.#bytes.toString('utf8', Math.min(this.#from + skipped, this.#to), this.#to);
  }

  #skip(length: number, isValue = false): void {
    if (isValue) this.#from = this.#at;
    if (length > this.#end - this.#at) {
      this.#isBroken = true;
      return;
    }
    this.#at += length;
    if (isValue) this.#to = this.#at;
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    // 64 bits take ten bytes of seven.
    for (let i = 0; i < 10 && this.#at < this.#end; i++) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    this.#isBroken = true;
    return 0;
  }
}
