/**
 * Cuts a stream into the frames of a Kubernetes watch: four bytes of length, most significant first, then the message
 * (k8s.io/apimachinery `pkg/util/framer`, `NewLengthDelimitedFrameReader`).
 *
 * @module
 */

/** Larger frames are refused. etcd takes no request over 1.5 MiB, so no Node is larger. */
export const FRAME_BYTES_MAX = 4 << 20;

const HEADER_BYTES = 4;

/** Takes one frame; the bytes are only good during the call. */
export type OnFrame = (bytes: Buffer, at: number, end: number) => void;

/** What has arrived of a stream and is no whole frame yet. */
export class FrameSplitter {
  #rest = Buffer.alloc(0);

  /** Whether the stream is in the middle of a frame. */
  get isInside(): boolean {
    return this.#rest.length > 0;
  }

  /**
   * Takes what has arrived and gives out what is whole.
   *
   * @returns false if a frame is too large: the stream is of no use any more
   */
  push(chunk: Uint8Array, onFrame: OnFrame): boolean {
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length > FRAME_BYTES_MAX) return false;
      const end = at + HEADER_BYTES + length;
      if (end > bytes.length) break;
      onFrame(bytes, at + HEADER_BYTES, end);
      at = end;
    }
    // A copy: the rest of a large chunk must not keep all of it.
    this.#rest = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
    return true;
  }
}

const EMPTY = Buffer.alloc(0);
