/**
 * Spans of time for people.
 *
 * @module
 */

const UNITS = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const;

/** A span in its two largest units: `38 ms`, `4.2 s`, `3 min 5 s`, `2 d 4 h`. A negative one counts as none. */
export function formatDuration(ms: number): string {
  if (ms < 10) return `${Number(Math.max(0, ms).toFixed(1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1_000).toFixed(1))} s`;
  const rounded = Math.round(ms / 1_000) * 1_000;
  const index = UNITS.findIndex((unit) => rounded >= unit.ms);
  const [large, small] = [UNITS[index], UNITS[index + 1]];
  if (large === undefined || small === undefined) return `${rounded / 1_000} s`;
  const rest = Math.floor((rounded % large.ms) / small.ms);
  return `${Math.floor(rounded / large.ms)} ${large.name}${rest === 0 ? '' : ` ${rest} ${small.name}`}`;
}
