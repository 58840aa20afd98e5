/**
 * Tries inputs one after the other and counts what comes of them.
 *
 * @module
 */
import type { Target, Trial, Verdict } from './target.ts';

/** An input after which something did not hold. */
export interface Finding {
  readonly target: string;
  readonly seed: number;
  readonly index: number;
  readonly what: string;
  readonly bytes: Uint8Array;
}

/** What came of a target's inputs. */
export interface Counts {
  inputs: number;
  accepted: number;
  refused: number;
  readonly findings: Finding[];
  milliseconds: number;
}

/** Which inputs. */
export interface Run {
  readonly seed: number;
  readonly count: number;
}

/** An input that takes longer is a finding, also if it ends: many times what the slowest takes on a busy Pi. */
export const INPUT_MS_MAX = 5_000;

/** More of the same says nothing new. */
const FINDINGS_MAX = 10;

/** Tries inputs `0` to `count - 1` of a seed; `begin` hears the number of each before it is tried. */
export async function fuzz(
  target: Target,
  { seed, count }: Run,
  begin: (index: number) => void = () => undefined,
): Promise<Counts> {
  const counts: Counts = { inputs: 0, accepted: 0, refused: 0, findings: [], milliseconds: 0 };
  const startedAtMs = performance.now();
  for (let index = 0; index < count && counts.findings.length < FINDINGS_MAX; index++) {
    begin(index);
    const trial = target.trial(seed, index);
    const outcome = await tried(trial);
    counts.inputs++;
    if (outcome === 'accepted' || outcome === 'refused') counts[outcome]++;
    else counts.findings.push({ target: target.name, seed, index, what: outcome.what, bytes: trial.bytes });
  }
  counts.milliseconds = performance.now() - startedAtMs;
  return counts;
}

/** Tries one input; what went wrong is in words. */
export async function tried(trial: Trial): Promise<Verdict | { readonly what: string }> {
  const startedAtMs = performance.now();
  try {
    const verdict = trial.run();
    const settled = verdict instanceof Promise ? await verdict : verdict;
    const tookMs = performance.now() - startedAtMs;
    return tookMs > INPUT_MS_MAX ? { what: `It took ${Math.round(tookMs)} ms` } : settled;
  } catch (error) {
    return {
      what: error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error),
    };
  }
}
