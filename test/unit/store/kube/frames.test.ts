/** Frames out of a stream that comes in pieces of any size. @module */
import { describe, expect, test } from 'bun:test';
import { FRAME_BYTES_MAX, FrameSplitter } from '../../../../src/store/kube/frames.ts';
import { frame } from './wire.ts';

const TEXTS = ['first', '', 'x'.repeat(5_000), 'last'];
const STREAM = Buffer.concat(TEXTS.map((text) => frame(Buffer.from(text))));

/** The frames that come of a stream in pieces of `size` bytes. */
function split(stream: Buffer, size: number): { texts: string[]; splitter: FrameSplitter } {
  const splitter = new FrameSplitter();
  const texts: string[] = [];
  for (let at = 0; at < stream.length; at += size) {
    const isWhole = splitter.push(stream.subarray(at, at + size), (bytes, from, to) =>
      texts.push(bytes.toString('utf8', from, to)),
    );
    expect(isWhole).toBe(true);
  }
  return { texts, splitter };
}

describe('FrameSplitter', () => {
  test.each([1, 2, 3, 4, 5, 7, 1_000, 4_999, STREAM.length])('in pieces of %d bytes', (size) => {
    const { texts, splitter } = split(STREAM, size);
    expect(texts).toEqual(TEXTS);
    expect(splitter.isInside).toBe(false);
  });

  test('knows that it is inside of a frame, or of its length', () => {
    expect(split(STREAM.subarray(0, -1), 100).splitter.isInside).toBe(true);
    expect(split(STREAM.subarray(0, 2), 100).splitter.isInside).toBe(true);
  });

  test('keeps what is left although the piece that it came in is written over', () => {
    const splitter = new FrameSplitter();
    const piece = Buffer.from(STREAM.subarray(0, 7));
    splitter.push(piece, () => undefined);
    piece.fill(0);
    const texts: string[] = [];
    splitter.push(STREAM.subarray(7), (bytes, from, to) => texts.push(bytes.toString('utf8', from, to)));
    expect(texts).toEqual(TEXTS);
  });

  test('takes a frame of the largest size, and refuses a larger one as soon as its length is there', () => {
    const lengths: number[] = [];
    const onFrame = (_: Buffer, at: number, end: number) => void lengths.push(end - at);
    expect(new FrameSplitter().push(frame(Buffer.alloc(FRAME_BYTES_MAX)), onFrame)).toBe(true);
    expect(lengths).toEqual([FRAME_BYTES_MAX]);
    const ok = frame(Buffer.from('ok'));
    const tooLarge = frame(Buffer.alloc(0), FRAME_BYTES_MAX + 1);
    expect(new FrameSplitter().push(Buffer.concat([ok, tooLarge]), onFrame)).toBe(false);
    expect(lengths).toEqual([FRAME_BYTES_MAX, 2]);
    expect(new FrameSplitter().push(Buffer.alloc(4, 0xff), onFrame)).toBe(false);
  });
});
