/**
 * Reads a watch of Kubernetes as bytes, cut into its events as each encoding does it.
 *
 * @module
 */

/** How a watch may be encoded. */
export type WatchEncoding = 'json' | 'protobuf';

/** What to ask for. */
export const WATCH_ACCEPT: Readonly<Record<WatchEncoding, string>> = {
  json: 'application/json;stream=watch',
  protobuf: 'application/vnd.kubernetes.protobuf;stream=watch',
};

/** A watch that begins with all nodes that there are. */
export const STREAMING_LIST =
  '/api/v1/nodes?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';

/** The annotation of the bookmark that ends the list. */
export const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

const LINE_END = 0x0a;

/**
 * The events of an answer, with the line end or the length (4 bytes, big-endian) that each has, until the stream
 * ends or the reader has enough.
 */
export async function* watchEvents(response: Response, encoding: WatchEncoding): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0);
  for await (const chunk of response.body ?? []) {
    held = Buffer.concat([held, chunk]);
    for (let length = lengthOf(held, encoding); length > 0; length = lengthOf(held, encoding)) {
      yield held.subarray(0, length);
      held = held.subarray(length);
    }
  }
}

/** How long the first event is, or 0 if it is not there in whole. */
function lengthOf(bytes: Buffer, encoding: WatchEncoding): number {
  if (encoding === 'json') return bytes.indexOf(LINE_END) + 1;
  if (bytes.length < 4) return 0;
  const length = 4 + bytes.readUInt32BE(0);
  return length <= bytes.length ? length : 0;
}
