/**
 * Keeps what repeats out of the log.
 *
 * @module
 */
import type { LogFields, Logger, LogLevel } from './log.ts';

/** How {@link LogLimit} counts. */
export interface LogLimitOptions {
  /** How long a key stays silent after a line. */
  readonly intervalMs?: number;
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number;
}

interface Silence {
  untilMs: number;
  repeated: number;
}

/** More keys than this are not remembered, so that junk from peers cannot fill the memory. */
const MAX_KEYS = 1_000;

/**
 * Keeps what repeats out of the log: one line per key and interval, the next of which tells how many were
 * left out (`repeated=17`). It needs no timer: what does not happen again is not told again.
 */
export class LogLimit {
  readonly #log: Logger;
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #silences = new Map<string, Silence>();

  constructor(log: Logger, options: LogLimitOptions = {}) {
    this.#log = log;
    this.#intervalMs = options.intervalMs ?? 60_000;
    this.#now = options.now ?? (() => performance.now());
  }

  /** A logger whose lines share `key`'s limit. */
  for(key: string): Logger {
    const limited = (level: LogLevel) => (message: string, fields?: LogFields) => {
      const repeated = this.#admit(key);
      if (repeated === undefined) return;
      this.#log[level](message, repeated === 0 ? fields : { ...fields, repeated });
    };
    return {
      debug: limited('debug'),
      info: limited('info'),
      warn: limited('warn'),
      error: limited('error'),
    };
  }

  /** Ends a key's silence, because its condition is over: the next line is written at once. */
  forget(key: string): void {
    this.#silences.delete(key);
  }

  /** How many lines were left out since the last one, or `undefined` if this one is left out too. */
  #admit(key: string): number | undefined {
    const nowMs = this.#now();
    const silence = this.#silences.get(key);
    if (silence !== undefined && nowMs < silence.untilMs) {
      silence.repeated++;
      return undefined;
    }
    this.#silences.delete(key);
    this.#silences.set(key, { untilMs: nowMs + this.#intervalMs, repeated: 0 });
    const [oldest] = this.#silences.keys();
    if (this.#silences.size > MAX_KEYS && oldest !== undefined) this.#silences.delete(oldest);
    return silence?.repeated ?? 0;
  }
}
