/**
 * Has the claims written down before anything is made, and again until that has worked.
 *
 * @module
 */
import { backOffMs } from '../model/back-off.ts';
import type { Clock, Timer } from '../model/clock.ts';
import type { Problem } from '../model/problem.ts';
import type { Claims } from '../reconcile/target.ts';

/** What the keeper needs. */
export interface ClaimsKeeperOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Takes the claims, and says why they could not be written down. */
  readonly onClaims: (claims: Claims) => Problem | undefined;
  /** Called when the trouble changes: `undefined` when it is over. */
  readonly onProblem: (problem: Problem | undefined) => void;
}

/** The claims that were handed out last. */
export class ClaimsKeeper {
  readonly #options: ClaimsKeeperOptions;
  #problem: Problem | undefined;
  #attempts = 0;
  #retry: Timer | undefined;

  constructor(options: ClaimsKeeperOptions) {
    this.#options = options;
  }

  /** What keeps the claims from being written down. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** Hands out the claims. */
  keep(claims: Claims): void {
    this.#attempts = 0;
    this.#try(claims);
  }

  stop(): void {
    this.#retry?.cancel();
  }

  #try(claims: Claims): void {
    const { clock, random, onClaims, onProblem } = this.#options;
    this.#retry?.cancel();
    this.#problem = onClaims(claims);
    onProblem(this.#problem);
    if (this.#problem === undefined) return;
    this.#attempts++;
    this.#retry = clock.schedule(backOffMs(this.#attempts, { random }), () => this.#try(claims));
  }
}
