/**
 * One line per event on standard error, as logfmt or JSON.
 *
 * Never hand a secret to the log (keys, tokens, certificates): it writes what it is given.
 *
 * @module
 */
import { fstatSync, writeSync } from 'node:fs';
import { printable } from './model/printable.ts';

/** How much an event matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What belongs to an event besides its message; `undefined` is left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Writes events. No method ever throws. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** How {@link createLogger} writes. */
export interface LoggerOptions {
  readonly format: 'logfmt' | 'json';
  /** 0 leaves `debug` out; 1 and more show it. */
  readonly verbosity: number;
  /** Takes one line with its line end; default: standard error. */
  readonly write?: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Whether systemd's journal reads the lines; default: what `JOURNAL_STREAM` says. */
  readonly journal?: boolean;
}

/** Longer texts are cut: one event must not flood a small disk. */
const MAX_TEXT_LENGTH = 2_000;

/** sd-daemon(3) prefixes: the journal takes them off and keeps them as the line's priority. */
const JOURNAL_PREFIX = { debug: '<7>', info: '<6>', warn: '<4>', error: '<3>' } as const;

/**
 * A logger. When systemd's journal reads along, the time is left out (the journal has its own) and each line
 * starts with its syslog priority, so that `journalctl -p warning` works.
 */
export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? createLineWriter(2);
  const now = options.now ?? Date.now;
  const journal = options.journal ?? readByJournal(process.env, 2);
  const format = options.format === 'json' ? formatJson : formatLogfmt;
  const log = (level: LogLevel) => (message: string, fields?: LogFields) => {
    const time = journal ? undefined : new Date(now()).toISOString();
    write(`${journal ? JOURNAL_PREFIX[level] : ''}${format({ time, level, msg: message }, fields ?? {})}\n`);
  };
  return {
    debug: options.verbosity > 0 ? log('debug') : () => {},
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
  };
}

/**
 * Whether a descriptor leads to systemd's journal (systemd.exec(5), `JOURNAL_STREAM`): the variable alone is
 * not enough, since a child with another standard error inherits it.
 */
export function readByJournal(env: Readonly<Record<string, string | undefined>>, fd: number): boolean {
  const { JOURNAL_STREAM: stream } = env;
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/**
 * A function that writes lines to a descriptor and never throws: with a reader that is gone (EPIPE) or too
 * slow (EAGAIN) a line is dropped, and the next that gets through is preceded by how many were.
 */
export function createLineWriter(fd: number): (line: string) => void {
  let dropped = 0;
  let torn = false;
  return (line) => {
    const note = dropped === 0 ? '' : `level=warn msg="Log lines dropped" count=${dropped}\n`;
    const bytes = Buffer.from(`${torn ? '\n' : ''}${note}${line}`);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(fd, bytes, written);
      dropped = 0;
      torn = false;
    } catch {
      dropped++;
      torn ||= written > 0;
    }
  };
}

interface Head {
  readonly time: string | undefined;
  readonly level: LogLevel;
  readonly msg: string;
}

function formatLogfmt(head: Head, fields: LogFields): string {
  const words: string[] = [];
  for (const [key, value] of [...Object.entries(head), ...Object.entries(fields)]) {
    if (value === undefined) continue;
    words.push(`${key.replace(/[^\w.-]/g, '_')}=${typeof value === 'string' ? quote(cut(value)) : value}`);
  }
  return words.join(' ');
}

/** Go's slog rule: bare unless empty or holding a space, `"`, `=`, `\` or anything but printable ASCII. */
function quote(text: string): string {
  return /^[!#-<>-[\]-~]+$/.test(text) ? text : printable(JSON.stringify(text));
}

function formatJson(head: Head, fields: LogFields): string {
  const entries = new Map<string, string | number | boolean | undefined>(Object.entries(head));
  for (const [key, value] of Object.entries(fields)) {
    entries.set(key in head ? `${key}_` : key, value);
  }
  const members: string[] = [];
  for (const [key, value] of entries) {
    if (value === undefined) continue;
    members.push(`${JSON.stringify(key)}:${JSON.stringify(typeof value === 'string' ? cut(value) : value)}`);
  }
  return printable(`{${members.join(',')}}`);
}

function cut(text: string): string {
  return text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH)}…`;
}
