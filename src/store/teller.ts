/**
 * What a lease source has to say to its listener: changes after everything that happens now, and each trouble once.
 *
 * @module
 */
import type { LeaseChange, LeaseListener, LeaseSourceStatus } from '../model/lease-source.ts';
import type { Problem } from '../model/problem.ts';

/** What a {@link Teller} needs. */
export interface TellerOptions<Place extends string> {
  /** Where there may be trouble, the most important first. */
  readonly places: readonly Place[];
  /** What has changed since it was asked last; asked only when there is somebody to tell. */
  readonly take: () => LeaseChange | undefined;
  readonly status: () => LeaseSourceStatus;
}

/** See the module. */
export class Teller<Place extends string> {
  readonly #options: TellerOptions<Place>;
  readonly #problems = new Map<Place, Problem>();
  #listener: LeaseListener | undefined;
  #toldProblem: string | undefined;
  #isTelling = false;

  constructor(options: TellerOptions<Place>) {
    this.#options = options;
  }

  /** Whom to tell; nobody after the end. */
  get listener(): LeaseListener | undefined {
    return this.#listener;
  }

  set listener(listener: LeaseListener | undefined) {
    this.#listener = listener;
  }

  /** The most important trouble. */
  get problem(): Problem | undefined {
    const place = this.#options.places.find((each) => this.#problems.has(each));
    return place && this.#problems.get(place);
  }

  /** What is wrong at one place. */
  problemAt(place: Place): Problem | undefined {
    return this.#problems.get(place);
  }

  /** There is trouble at a place, or none any more. */
  setProblem(place: Place, trouble: Problem | undefined): void {
    if (this.#problems.get(place)?.message === trouble?.message) return;
    if (trouble === undefined) this.#problems.delete(place);
    else this.#problems.set(place, trouble);
    queueMicrotask(() => this.tellStatus());
  }

  /** Tells the status once it differs from what was told: one cause often makes several problems. */
  tellStatus(): void {
    const status = this.#options.status();
    if (this.#listener === undefined || status.problem?.message === this.#toldProblem) return;
    this.#toldProblem = status.problem?.message;
    this.#listener.onStatus(status);
  }

  /** Tells what has changed, after everything that happens now. */
  tell(): void {
    if (this.#isTelling || this.#listener === undefined) return;
    this.#isTelling = true;
    queueMicrotask(() => {
      this.#isTelling = false;
      const change = this.#listener === undefined ? undefined : this.#options.take();
      if (change !== undefined) this.#listener?.onLeases(change);
    });
  }
}
