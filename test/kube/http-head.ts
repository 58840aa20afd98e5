/**
 * The head of a request of HTTP/1.1 (RFC 9112), as far as a proxy has to read it.
 *
 * @module
 */

/** A request without its body. */
export interface RequestHead {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** The lines after the first, as they came. */
  readonly fields: readonly string[];
  /** How many bytes of body follow. */
  readonly bodyLength: number;
}

const HEAD_END = '\r\n\r\n';

/** Where the head ends that the bytes begin with, or 0 if it is not there in whole. */
export function headLength(bytes: Buffer): number {
  const at = bytes.indexOf(HEAD_END);
  return at < 0 ? 0 : at + HEAD_END.length;
}

/** Reads a whole head. Throws if it is none that a client of ours would send. */
export function parseHead(bytes: Buffer): RequestHead {
  const [first = '', ...fields] = bytes.toString('latin1').slice(0, -HEAD_END.length).split('\r\n');
  const [, method, path] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(first) ?? [];
  if (method === undefined || path === undefined) throw new Error(`Not a request: '${first}'`);
  if (fieldOf(fields, 'transfer-encoding') !== undefined) throw new Error('A body of unknown length');
  return { method, path, fields, bodyLength: Number(fieldOf(fields, 'content-length') ?? 0) };
}

/** The head as bytes, with some fields taken out and others added. */
export function formatHead(
  { method, path, fields }: RequestHead,
  { without, added }: { without: RegExp; added: readonly string[] },
): Buffer {
  const kept = fields.filter((field) => !without.test(field));
  return Buffer.from([`${method} ${path} HTTP/1.1`, ...kept, ...added].join('\r\n') + HEAD_END, 'latin1');
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  const field = fields.find((each) => each.toLowerCase().startsWith(`${name}:`));
  return field?.slice(name.length + 1).trim();
}
