/**
 * Keeps this program installed as the node's CNI plugin. Level-triggered: after every pass of the agent, and whenever
 * something happens in one of the two directories, what is there is held against what should be.
 *
 * @module
 */
import { backOffMs } from '../model/back-off.ts';
import type { Clock, Timer } from '../model/clock.ts';
import { type FileObject, keyOf } from '../model/objects.ts';
import { OneAtATime } from '../model/one-at-a-time.ts';
import { type Problem, problem } from '../model/problem.ts';
import type { CniSettings } from '../model/settings.ts';
import { Fights, fightProblem } from '../reconcile/fights.ts';
import { findPlaces, lookAtCni } from './look.ts';
import { OwnProgram } from './own-program.ts';
import { performStep } from './perform.ts';
import { type InstallStep, type Places, planInstall } from './plan.ts';
import { type InstallRecord, readRecord, remember } from './record.ts';

/** By then whoever writes a small file in place has written it. */
const SECOND_LOOK_MS = 30;

/** How old a look may be before a pass, which need not be about files at all, has another made. */
const FRESH_MS = 60_000;

/** A watch on a directory. */
interface Watch {
  ensure(): void;
  close(): void;
}

/** What an installer needs. */
export interface InstallerOptions {
  readonly settings: Pick<CniSettings, 'confDir' | 'binDir'>;
  /** The text of an operator's conflist. */
  readonly given: string | undefined;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** Whether pods can be made here: nothing is installed before that. */
  readonly isReady: () => boolean;
  /** Makes a watch that calls `look` whenever something happens in the directory. */
  readonly watch: (directory: string, look: () => void) => Watch;
  /** Hears of the worst problem whenever it may have changed. */
  readonly onProblem: (problem: Problem | undefined) => void;
  /** Hears of what was done; `repair` if it had been there before. */
  readonly onDone: (step: InstallStep, repair: boolean) => void;
}

/** See the module. It works until the process ends; what is installed stays then, as pods do. */
export class CniInstaller {
  readonly #options: InstallerOptions;
  readonly #program = new OwnProgram();
  readonly #fights = new Fights();
  /** The paths that were right before: to change them is a repair. */
  readonly #settled = new Set<string>();
  #watches: { readonly places: Places; readonly all: readonly Watch[] } | undefined;
  #record: InstallRecord;
  #problems: readonly Problem[] = [];
  #attempts = 0;
  /** What failed last, and until when it is not tried again: to try makes events by itself. */
  #failed: { readonly problem: Problem; readonly untilMs: number } | undefined;
  #later: Timer | undefined;
  /** The text of the conflist as it was seen last. */
  #conflist: string | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;
  readonly #looks = new OneAtATime(() => this.#bringAbout());

  constructor(options: InstallerOptions) {
    this.#options = options;
    this.#record = readRecord(options.stateDir);
  }

  /** What keeps pods from being made by this program, the worst first. */
  problems(): readonly Problem[] {
    return this.#problems;
  }

  /** A pass has ended. What happens in the directories is heard; from time to time there is a look without that. */
  ensure(): void {
    if (this.#options.clock.monotonicMs() - this.#lookedMs > FRESH_MS) this.#looks.ask();
  }

  /** Looks, and does what there is to do. */
  async #bringAbout(): Promise<void> {
    const { settings, given, clock, isReady, onProblem } = this.#options;
    if (!this.#program.isInstallable || !isReady()) return;
    this.#lookedMs = clock.monotonicMs();
    const places = findPlaces(settings);
    this.#listen(places);
    const findings = lookAtCni(places, this.#record, this.#program);
    const { steps, paths, problems } = planInstall(findings, given);
    const isSteady = findings.conflist?.text === this.#conflist;
    this.#conflist = findings.conflist?.text;
    const failures = await this.#do(steps, isSteady);
    const touched = new Set(steps.map(({ path }) => path));
    for (const path of paths) if (!touched.has(path)) this.#settled.add(path);
    const fights = this.#fights.list(clock.monotonicMs()).map(fightProblem);
    this.#problems = [...failures, ...problems, ...fights];
    onProblem(this.#problems[0]);
    // The directories may have been made just now.
    for (const watch of this.#watches?.all ?? []) watch.ensure();
  }

  /** Does the steps up to the first that fails, and gives back why. */
  async #do(steps: readonly InstallStep[], isSteady: boolean): Promise<readonly Problem[]> {
    const { clock, onDone } = this.#options;
    const pauseMs = (this.#failed?.untilMs ?? 0) - clock.monotonicMs();
    if (this.#failed !== undefined && steps.length > 0 && pauseMs > 0) {
      this.#tryAgain(pauseMs);
      return [this.#failed.problem];
    }
    for (const step of steps) {
      const { path } = step;
      if (this.#mustWait(path)) return [];
      // What takes the place of ours may be half written, and is looked at twice before it is taken for somebody's.
      if (step.kind === 'conflist' && step.aside && !isSteady && this.#settled.has(path)) {
        this.#tryAgain(SECOND_LOOK_MS);
        return [];
      }
      try {
        await performStep(step, { program: this.#program, remember: (added) => this.#remember(added) });
      } catch (error) {
        return [this.#fail(path, error)];
      }
      const isRepair = this.#settled.has(path);
      if (isRepair) this.#fights.repaired([changeOf(path)], clock.monotonicMs());
      this.#settled.add(path);
      onDone(step, isRepair);
    }
    this.#attempts = 0;
    this.#failed = undefined;
    return [];
  }

  #fail(path: string, error: unknown): Problem {
    const { clock, random } = this.#options;
    this.#attempts++;
    const delayMs = backOffMs(this.#attempts, { random });
    const reason = error instanceof Error ? error.message : String(error);
    const failed = problem('cni-not-installed', `Cannot install ${path}: ${reason}`);
    this.#failed = { problem: failed, untilMs: clock.monotonicMs() + delayMs };
    this.#tryAgain(delayMs);
    return failed;
  }

  /** What cannot be written down is installed all the same: that the state directory cannot be written is told elsewhere. */
  #remember(added: Partial<InstallRecord>): void {
    const { conflists, programs } = this.#record;
    this.#record = {
      conflists: { ...conflists, ...added.conflists },
      programs: { ...programs, ...added.programs },
    };
    try {
      this.#record = remember(this.#options.stateDir, added);
    } catch {
      // See above.
    }
  }

  /** Whether somebody else changes a path again and again, so that it is put right later. */
  #mustWait(path: string): boolean {
    if (!this.#settled.has(path)) return false;
    const key = keyOf(fileAt(path));
    const nowMs = this.#options.clock.monotonicMs();
    const dueMs = this.#fights.damaged(key, nowMs, { fate: 'changes', suspect: () => undefined });
    if (dueMs <= nowMs) {
      this.#fights.resumed(key);
      return false;
    }
    this.#tryAgain(dueMs - nowMs);
    return true;
  }

  #tryAgain(delayMs: number): void {
    this.#later?.cancel();
    this.#later = this.#options.clock.schedule(delayMs, () => this.#looks.ask());
  }

  #listen(places: Places): void {
    const { watch } = this.#options;
    const { confDir, binDir } = places;
    if (this.#watches?.places.confDir === confDir && this.#watches.places.binDir === binDir) return;
    for (const former of this.#watches?.all ?? []) former.close();
    const all = [...new Set([confDir, binDir])].map((directory) => watch(directory, () => this.#looks.ask()));
    this.#watches = { places, all };
  }
}

function fileAt(path: string): FileObject {
  return { kind: 'file', path, text: '', mode: 0 };
}

function changeOf(path: string) {
  return { verb: 'replace', object: fileAt(path), why: 'changed' } as const;
}
