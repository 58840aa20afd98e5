/**
 * Has the claims written down before anything is made, and again until that has worked.
 *
 * @module
 */
import { backOffMs } from '../model/back-off.ts';
import type { Clock, Timer } from '../model/clock.ts';
import type { FileObject } from '../model/objects.ts';
import type { Problem } from '../model/problem.ts';
import type { Claims } from '../reconcile/target.ts';

/** Takes what is claimed, before anything of it is made; gives back why it could not be written down. */
export type OnClaims = (claims: Claims, files: readonly FileObject[]) => Problem | undefined;

/** What the keeper needs. */
export interface ClaimsKeeperOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Takes the claims and the files that will be written, and says why they could not be written down. */
  readonly onClaims: OnClaims;
  /** Called when the trouble changes: `undefined` when it is over. */
  readonly onProblem: (problem: Problem | undefined) => void;
}

/** The claims that were handed out last. */
export class ClaimsKeeper {
  readonly #options: ClaimsKeeperOptions;
  #problem: Problem | undefined;
  #attempts = 0;
  #retry: Timer | undefined;
  #kept: { readonly claims: Claims; readonly files: readonly FileObject[] } | undefined;

  constructor(options: ClaimsKeeperOptions) {
    this.#options = options;
  }

  /** What keeps the claims from being written down. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** Hands out the claims. */
  keep(claims: Claims, files: readonly FileObject[]): void {
    this.#attempts = 0;
    this.#kept = { claims, files };
    this.#try(claims, files);
  }

  /** Hands them out once more: what was written down may be gone. */
  again(): void {
    if (this.#kept !== undefined && this.#problem === undefined)
      this.#try(this.#kept.claims, this.#kept.files);
  }

  stop(): void {
    this.#retry?.cancel();
  }

  #try(claims: Claims, files: readonly FileObject[]): void {
    const { clock, random, onClaims, onProblem } = this.#options;
    this.#retry?.cancel();
    this.#problem = onClaims(claims, files);
    onProblem(this.#problem);
    if (this.#problem === undefined) return;
    this.#attempts++;
    this.#retry = clock.schedule(backOffMs(this.#attempts, { random }), () => this.#try(claims, files));
  }
}
