/**
 * A small text table with aligned columns, for `status` and the demo.
 *
 * @module
 */

/** Where the text of a column stands. */
export type Alignment = 'left' | 'right';

/** How {@link formatTable} draws. */
export interface TableOptions {
  /** By column. A column that is not named here stands right if all its cells are numbers, else left. */
  readonly align?: readonly (Alignment | undefined)[];
  /** Whether box-drawing lines surround the cells; without them two spaces part the columns. */
  readonly box?: boolean;
  /** Spaces before every line; default 0. */
  readonly indent?: number;
}

/** A number with an optional sign, separators and a unit: `12`, `-0.4 ms`, `1,024 KiB`, `97%`. */
const NUMBER = /^[+-]?\d[\d.,]*\s?(?:%|[A-Za-zµ]{1,3})?$/;

/** What stands for "no value" in a column of numbers. */
const NO_VALUE = new Set(['', '-', '–', '?']);

/**
 * Draws a table. Widths are terminal columns: colour codes take none, wide characters take two. Cells must
 * hold no line breaks or other control characters; the caller has escaped what came from outside.
 *
 * @returns lines joined by `\n`, without one at the end and without trailing spaces
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const widths = header.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, textWidth(row[column] ?? '')), textWidth(title)),
  );
  const align = header.map((_, column) => options.align?.[column] ?? defaultAlignment(rows, column));
  const pad = (row: readonly string[]) =>
    widths.map((width, column) => padCell(row[column] ?? '', width, align[column] ?? 'left'));
  const lines = options.box === true ? boxed(pad, { header, rows, widths }) : plain(pad, header, rows);
  const margin = ' '.repeat(options.indent ?? 0);
  return lines.map((line) => `${margin}${line}`.trimEnd()).join('\n');
}

/** How many terminal columns a text takes. */
export function textWidth(text: string): number {
  return Bun.stringWidth(text);
}

function plain(
  pad: (row: readonly string[]) => string[],
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  return [header, ...rows].map((row) => pad(row).join('  '));
}

function boxed(
  pad: (row: readonly string[]) => string[],
  table: {
    readonly header: readonly string[];
    readonly rows: readonly (readonly string[])[];
    readonly widths: readonly number[];
  },
): string[] {
  const rule = (left: string, middle: string, right: string) =>
    left + table.widths.map((width) => '─'.repeat(width + 2)).join(middle) + right;
  const line = (row: readonly string[]) => `│ ${pad(row).join(' │ ')} │`;
  return [
    rule('┌', '┬', '┐'),
    line(table.header),
    rule('├', '┼', '┤'),
    ...table.rows.map(line),
    rule('└', '┴', '┘'),
  ];
}

function padCell(text: string, width: number, alignment: Alignment): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  return alignment === 'right' ? space + text : text + space;
}

function defaultAlignment(rows: readonly (readonly string[])[], column: number): Alignment {
  let numbers = 0;
  for (const row of rows) {
    const cell = Bun.stripANSI(row[column] ?? '');
    if (NO_VALUE.has(cell)) continue;
    if (!NUMBER.test(cell)) return 'left';
    numbers++;
  }
  return numbers > 0 ? 'right' : 'left';
}
