/**
 * The text files of captured messages: four bytes a line, so that they can be reviewed like code.
 *
 * @module
 */

/** One captured message without its `nlmsghdr`, of which type and flags are kept. */
export interface GoldenMessage {
  readonly type: number;
  readonly flags: number;
  /** The payload, with the padding that the sender put behind its last attribute. */
  readonly bytes: Uint8Array;
}

/** A file of captured messages. */
export interface Golden {
  /** What was run, from the first line. */
  readonly command: string;
  readonly messages: readonly GoldenMessage[];
}

const MESSAGE_LINE = /(?:request|reply) \w+ \((\d+)\), flags \S+ \((0x[0-9a-f]+)\)$/;
const BYTES_LINE = /^((?:[0-9a-f]{2} ?)+)(?:\* (\d+))?$/;

/**
 * Reads a file of captured messages.
 *
 * @throws on a line that is neither a comment nor bytes, or bytes before the line that says what they are
 */
export function parseGolden(text: string): Golden {
  const lines = text.split('\n');
  const messages: { type: number; flags: number; bytes: number[] }[] = [];
  for (const line of lines) {
    const head = MESSAGE_LINE.exec(line);
    if (head !== null) messages.push({ type: Number(head[1]), flags: Number(head[2]), bytes: [] });
    const code = line.split('#', 1)[0]?.trim() ?? '';
    if (code === '') continue;
    const row = BYTES_LINE.exec(code);
    const into = messages.at(-1)?.bytes;
    if (row === null || into === undefined) throw new Error(`Not a line of a capture: '${line}'`);
    const bytes = (row[1] ?? '').trim().split(' ').map(fromHex);
    for (let i = 0; i < Number(row[2] ?? 1); i++) into.push(...bytes);
  }
  return {
    command: (lines[0] ?? '').replace(/^# /, ''),
    messages: messages.map(({ type, flags, bytes }) => ({ type, flags, bytes: Uint8Array.from(bytes) })),
  };
}

/** The bytes as lines of four, in hex. */
export function hexLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 4)
    lines.push(Array.from(bytes.subarray(at, at + 4), toHex).join(' '));
  return lines;
}

/** Both as lines of four bytes, side by side, with `!` where they differ. */
export function sideBySide(got: Uint8Array, want: Uint8Array): string {
  const left = hexLines(got);
  const right = hexLines(want);
  const rows = ['  offset  got           want'];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const a = left[i] ?? '';
    const b = right[i] ?? '';
    rows.push(`${a === b ? ' ' : '!'} ${String(i * 4).padStart(6)}  ${a.padEnd(12)}  ${b}`.trimEnd());
  }
  return rows.join('\n');
}

function fromHex(text: string): number {
  return Number.parseInt(text, 16);
}

function toHex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
