/**
 * JSON (RFC 8259) read as Go reads it: every member in its order, duplicates among them, numbers as they were
 * written, and mistakes with their place. `JSON.parse` keeps none of these.
 *
 * @module
 */
import { fail, ok, type Result } from '../model/result.ts';

/** An object's members in the order of the text. */
export interface JsonObject {
  readonly kind: 'object';
  readonly members: readonly (readonly [name: string, value: JsonNode])[];
}

/** A value in the text. `source` is how it was written; of arrays and objects only the kind matters. */
export type JsonNode =
  | { readonly kind: 'scalar'; readonly value: null | boolean | string; readonly source: string }
  | { readonly kind: 'number'; readonly source: string }
  | { readonly kind: 'array' }
  | JsonObject;

/** Where the text stops being JSON. */
export interface JsonMistake {
  /** Both count from 1; columns in UTF-16 units, as editors do. */
  readonly line: number;
  readonly column: number;
  /** What stands there; `undefined` at the end of the text. */
  readonly found: string | undefined;
  /** Reads on after "expected". */
  readonly expected: string;
}

/** Deep enough for any configuration, and shallow enough for the stack. */
const DEPTH_MAX = 100;

/** Reads a text that is one JSON value. */
export function parseJsonText(text: string): Result<JsonNode, JsonMistake> {
  const cursor: Cursor = { text, at: 0, depth: 0, expected: undefined };
  const isMarked = text.startsWith('\uFEFF');
  const node = isMarked ? stop(cursor, 'JSON without a byte order mark') : readValue(cursor);
  if (node !== undefined) {
    skipSpace(cursor);
    if (cursor.at < text.length) stop(cursor, 'nothing after the JSON value');
  }
  if (node !== undefined && cursor.expected === undefined) return ok(node);
  return fail(mistakeAt(cursor));
}

interface Cursor {
  readonly text: string;
  at: number;
  depth: number;
  /** Set once, when reading stops at a mistake; `at` is then its place. */
  expected: string | undefined;
}

/** Every reader gives `undefined` after a mistake, up to the top. */
function stop(cursor: Cursor, expected: string): undefined {
  cursor.expected ??= expected;
  return undefined;
}

function mistakeAt({ text, at, expected }: Cursor): JsonMistake {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - (before.lastIndexOf('\n') + 1) + 1;
  const found = /^(?:[\p{L}\p{N}_]+|.)/su.exec(text.slice(at, at + 40))?.[0];
  return { line, column, found, expected: expected ?? 'a JSON value' };
}

function skipSpace(cursor: Cursor): void {
  while (' \t\n\r'.includes(cursor.text[cursor.at] ?? '?')) cursor.at++;
}

/** Takes one punctuation character if it is next, past space. */
function take(cursor: Cursor, character: string): boolean {
  skipSpace(cursor);
  if (cursor.text[cursor.at] !== character) return false;
  cursor.at++;
  return true;
}

const WORDS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

function readValue(cursor: Cursor): JsonNode | undefined {
  if (take(cursor, '{')) return readObject(cursor);
  if (take(cursor, '[')) return readArray(cursor);
  const { text, at } = cursor;
  if (text[at] === '"') {
    const value = readString(cursor);
    return value === undefined ? undefined : { kind: 'scalar', value, source: value };
  }
  for (const [source, value] of WORDS) {
    if (!text.startsWith(source, at)) continue;
    cursor.at += source.length;
    return { kind: 'scalar', value, source };
  }
  NUMBER.lastIndex = at;
  const source = NUMBER.exec(text)?.[0];
  if (source === undefined) return stop(cursor, 'a JSON value');
  cursor.at += source.length;
  return { kind: 'number', source };
}

function readObject(cursor: Cursor): JsonObject | undefined {
  const members: [string, JsonNode][] = [];
  if (++cursor.depth > DEPTH_MAX) return stop(cursor, `at most ${DEPTH_MAX} levels of nesting`);
  let isEnd = take(cursor, '}');
  while (!isEnd) {
    skipSpace(cursor);
    const quoted = 'a name in double quotes';
    const expected = members.length > 0 ? `${quoted} after the comma` : `${quoted} or '}'`;
    if (cursor.text[cursor.at] !== '"') return stop(cursor, expected);
    const name = readString(cursor);
    if (name === undefined) return undefined;
    if (!take(cursor, ':')) return stop(cursor, "':'");
    const value = readValue(cursor);
    if (value === undefined) return undefined;
    members.push([name, value]);
    isEnd = take(cursor, '}');
    if (!isEnd && !take(cursor, ',')) return stop(cursor, "',' or '}'");
  }
  cursor.depth--;
  return { kind: 'object', members };
}

function readArray(cursor: Cursor): JsonNode | undefined {
  if (++cursor.depth > DEPTH_MAX) return stop(cursor, `at most ${DEPTH_MAX} levels of nesting`);
  let isEnd = take(cursor, ']');
  while (!isEnd) {
    if (readValue(cursor) === undefined) return undefined;
    isEnd = take(cursor, ']');
    if (!isEnd && !take(cursor, ',')) return stop(cursor, "',' or ']'");
  }
  cursor.depth--;
  return { kind: 'array' };
}

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Reads from one double quote to the other. Half characters become U+FFFD, as in Go. */
function readString(cursor: Cursor): string | undefined {
  const { text } = cursor;
  const start = cursor.at++;
  for (;;) {
    const code = text.charCodeAt(cursor.at);
    if (code === 0x22) break;
    if (Number.isNaN(code)) return stop(cursor, 'a closing double quote');
    if (code < 0x20) return stop(cursor, 'no control character in a string');
    if (code === 0x5c) {
      ESCAPE.lastIndex = cursor.at;
      const sequence = ESCAPE.exec(text)?.[0];
      if (sequence === undefined) return stop(cursor, 'an escape that JSON knows');
      cursor.at += sequence.length;
    } else {
      cursor.at++;
    }
  }
  const value: unknown = JSON.parse(text.slice(start, ++cursor.at));
  return String(value).toWellFormed();
}
