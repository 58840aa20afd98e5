/**
 * Waiting, before there is an agent, for what it cannot be without.
 *
 * @module
 */
import type { AgentJournal, ProblemPlace } from './agent/journal.ts';
import { type BackOff, backOffMs } from './model/back-off.ts';
import type { Clock } from './model/clock.ts';
import type { Problem } from './model/problem.ts';
import type { Result } from './model/result.ts';

/** What happens meanwhile. */
export interface Waits {
  readonly journal: Pick<AgentJournal, 'problem'>;
  readonly clock: Clock;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
  /** Called before each pause. */
  readonly onWait: () => void;
}

/** Attempts something until it succeeds; meanwhile the journal has the reason why it does not. */
export async function untilDone<T>(
  place: ProblemPlace,
  { journal, clock, onWait, ...backOff }: Waits & BackOff,
  attempt: () => Result<T, Problem> | Promise<Result<T, Problem>>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    const done = await attempt();
    journal.problem(place, done.ok ? undefined : done.error);
    if (done.ok) return done.value;
    onWait();
    await new Promise<void>((resolve) => clock.schedule(backOffMs(failures, backOff), resolve));
  }
}
