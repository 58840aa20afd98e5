/**
 * A line of the bench's table.
 *
 * @module
 */
import { median, percentile, range } from './statistics.ts';

/** One measure. */
export interface Row {
  readonly measure: string;
  readonly runs: number;
  readonly result: string;
  readonly spread: string;
  /** What it is meant to be, and whether it is. */
  readonly reach?: { readonly text: string; readonly met: boolean };
}

/** What values are meant to stay within. */
export interface Reach {
  /** For the median. */
  readonly median?: number;
  /** For the 95th percentile. */
  readonly p95?: number;
}

/** How values are shown. */
export interface Shown {
  readonly unit: string;
  readonly digits?: number;
  readonly reach?: Reach;
  /** Whether the 95th percentile is told beside the median. */
  readonly p95?: boolean;
  /** The same for the 99th. */
  readonly p99?: boolean;
}

/** A row of values; without a given number of digits one where the median is below 100. */
export function rowOf(measure: string, values: readonly number[], shown: Shown): Row {
  const { unit, reach } = shown;
  const digits = shown.digits ?? (median(values) < 100 ? 1 : 0);
  const [middle, high] = [median(values), percentile(values, 95)];
  const p95 = shown.p95 === true ? `, p95 ${high.toFixed(digits)}` : '';
  const p99 = shown.p99 === true ? `, p99 ${percentile(values, 99).toFixed(digits)}` : '';
  const row = {
    measure,
    runs: values.length,
    result: `${middle.toFixed(digits)} ${unit}${p95}${p99}`,
    spread: range(values, digits),
  };
  if (reach === undefined) return row;
  const met =
    middle <= (reach.median ?? Number.POSITIVE_INFINITY) && high <= (reach.p95 ?? Number.POSITIVE_INFINITY);
  const limits = [reach.median, reach.p95 === undefined ? undefined : `p95 ${reach.p95}`];
  return {
    ...row,
    reach: { text: `${limits.filter((each) => each !== undefined).join(', ')} ${unit}`, met },
  };
}

/** A row that says why there is nothing to say. */
export function lacking(measure: string, why: string): Row {
  return { measure, runs: 0, result: why, spread: '' };
}
