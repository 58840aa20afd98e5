/**
 * Keeps traffic rules in iptables where an operator wants them there (`--iptables`). Level-triggered: after a change that
 * nf_tables announces, and after a pass when the last look is old, what is there is held against what should be.
 *
 * @module
 */
import { backOffMs } from '../model/back-off.ts';
import type { Clock, Timer } from '../model/clock.ts';
import { OneAtATime } from '../model/one-at-a-time.ts';
import { type Problem, problem } from '../model/problem.ts';
import type { TableObject } from '../model/traffic-rules.ts';

/** A transaction is many events: the look comes after the last of them. */
const SOON_MS = 20;
/** How old a look may be before a pass, which need not be about rules at all, has another made. */
const FRESH_MS = 60_000;
/** After so long without a repair, whoever changes the rules is answered at once again. */
const PEACE_MS = 60_000;

/** What a look has found and done. */
export type IptablesLook =
  | { readonly kind: 'right' }
  | { readonly kind: 'made'; readonly was: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** What a keeper needs. */
export interface IptablesKeeperOptions {
  readonly clock: Pick<Clock, 'schedule' | 'monotonicMs'>;
  readonly random: () => number;
  /** Looks, and puts right what is not. */
  readonly look: (tables: readonly TableObject[]) => Promise<IptablesLook>;
  /** The rules are there for the first time. */
  readonly onReady: () => void;
  /** They were right before, and had become something else. */
  readonly onRepaired: (was: string) => void;
  readonly onProblem: (problem: Problem | undefined) => void;
}

/** See the module. */
export class IptablesKeeper {
  readonly #options: IptablesKeeperOptions;
  #tables: readonly TableObject[] | undefined;
  /** What was right last. */
  #settled: readonly TableObject[] | undefined;
  #isReady = false;
  #problem: Problem | undefined;
  #timer: Timer | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #repairedMs = Number.NEGATIVE_INFINITY;
  /** Failures in a row, and repairs without a minute of peace. */
  #failures = 0;
  #repairs = 0;
  readonly #looks = new OneAtATime(() => this.#look());

  constructor(options: IptablesKeeperOptions) {
    this.#options = options;
  }

  /** These are wanted from now on. */
  want(tables: readonly TableObject[]): void {
    this.#tables = tables;
    this.#lookIn(0);
  }

  /** Somebody has changed iptables' chains, this one's programs perhaps. */
  heard(): void {
    this.#lookIn(this.#pauseMs());
  }

  /** A pass has ended. */
  ensure(): void {
    if (this.#options.clock.monotonicMs() - this.#lookedMs > FRESH_MS) this.#lookIn(this.#pauseMs());
  }

  /** Why pods do without the rules. */
  problems(): readonly Problem[] {
    if (this.#problem !== undefined) return [this.#problem];
    if (this.#isReady) return [];
    return [problem('starting', 'The traffic rules are being made with iptables')];
  }

  #pauseMs(): number {
    const { clock, random } = this.#options;
    if (this.#failures > 0) return backOffMs(this.#failures, { random, firstMs: 1_000 });
    if (clock.monotonicMs() - this.#repairedMs > PEACE_MS) this.#repairs = 0;
    return SOON_MS + (this.#repairs < 3 ? 0 : backOffMs(this.#repairs, { random, longestMs: 30_000 }));
  }

  #lookIn(delayMs: number): void {
    this.#timer ??= this.#options.clock.schedule(delayMs, () => {
      this.#timer = undefined;
      this.#looks.ask();
    });
  }

  async #look(): Promise<void> {
    const { clock, look, onReady, onProblem } = this.#options;
    const tables = this.#tables;
    if (tables === undefined) return;
    this.#lookedMs = clock.monotonicMs();
    const outcome = await look(tables);
    if (outcome.kind === 'failed') {
      this.#failures++;
      this.#problem = problem(
        'iptables-failed',
        `Cannot make the traffic rules with iptables: ${outcome.reason}`,
      );
      this.#lookIn(this.#pauseMs());
    } else {
      this.#failures = 0;
      this.#problem = undefined;
      if (outcome.kind === 'made' && this.#settled === tables) this.#repaired(outcome.was);
      this.#settled = tables;
    }
    onProblem(this.#problem);
    if (this.#problem !== undefined || this.#isReady) return;
    this.#isReady = true;
    onReady();
  }

  #repaired(was: string): void {
    this.#repairs++;
    this.#repairedMs = this.#options.clock.monotonicMs();
    this.#options.onRepaired(was);
  }
}
