/**
 * Progress for people: one line a step, alive on a terminal and plain elsewhere.
 *
 * @module
 */
import { textWidth } from '../table.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
const WIDE_COLUMNS = 160;
const CLEAR_LINE = '\r\x1b[K';

/** How a step ended, in words. */
export interface Outcome {
  readonly ok: boolean;
  readonly text: string;
}

/** Where progress goes. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Writes the steps of one run. */
export class Progress {
  readonly #stream: ProgressStream;
  readonly #live: boolean;
  readonly #colored: boolean;

  constructor(stream: ProgressStream) {
    const { TERM, NO_COLOR = '' } = process.env;
    this.#stream = stream;
    this.#live = stream.isTTY === true && TERM !== 'dumb';
    this.#colored = this.#live && NO_COLOR === '';
  }

  /** How wide a line may be; wide where nobody watches. */
  get columns(): number {
    return this.#live ? (this.#stream.columns ?? 80) : WIDE_COLUMNS;
  }

  /** Writes text as it is, and ends the line. */
  write(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  /** The text in bold, where that can be shown. */
  bold(text: string): string {
    return this.#paint('1', text);
  }

  /** The text in the background, where that can be shown. */
  dim(text: string): string {
    return this.#paint('2', text);
  }

  /** A tick or a cross. */
  mark(good: boolean): string {
    return good ? this.#paint('32', '✓') : this.#paint('31', '✗');
  }

  /**
   * Runs one step. `work` may tell how far it is; `outcome` says in words what came of it. What `work` throws
   * ends the step's line and is thrown on.
   */
  async step<T>(
    title: string,
    work: (note: (text: string) => void) => T | Promise<T>,
    outcome: (value: T) => Outcome,
  ): Promise<T> {
    let note = '';
    let frame = 0;
    const draw = () => {
      const spinner = FRAMES[frame++ % FRAMES.length] ?? '';
      this.#redraw(`${this.#paint('36', spinner)} ${title}`, note);
    };
    const timer = this.#live ? setInterval(draw, FRAME_MS) : undefined;
    if (this.#live) draw();
    const end = (good: boolean, text: string) => {
      clearInterval(timer);
      this.write(`${this.#live ? CLEAR_LINE : ''}${this.mark(good)} ${text}`);
    };
    try {
      const value = await work((text) => {
        note = text;
      });
      const { ok, text } = outcome(value);
      end(ok, text);
      return value;
    } catch (error) {
      end(false, title);
      throw error;
    }
  }

  /** A line longer than the terminal would wrap, and then could not be cleared. */
  #redraw(text: string, note: string): void {
    const room = this.columns - textWidth(text) - 2;
    const shown = note !== '' && textWidth(note) <= room ? ` ${this.dim(note)}` : '';
    this.#stream.write(`${CLEAR_LINE}${text}${shown}`);
  }

  #paint(code: string, text: string): string {
    return this.#colored ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}
