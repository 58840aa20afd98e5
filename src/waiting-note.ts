/**
 * Keeps the note for the CNI plugin: written when what is waited for is another, gone once subnet.env is there.
 *
 * @module
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { uptime } from 'node:os';
import { dirname } from 'node:path';
import type { Problem } from './model/problem.ts';
import { type WaitingNote, waitingPathOf } from './model/waiting-note.ts';
import { writeAtomically } from './write-file.ts';

/** See the module. */
export class WaitingNotes {
  readonly #subnetFile: string;
  readonly #path: string;
  #last: (WaitingNote & Pick<Problem, 'code'>) | undefined;
  #isOver = false;

  constructor(subnetFile: string) {
    this.#subnetFile = subnetFile;
    this.#path = waitingPathOf(subnetFile);
  }

  /** How the agent is may have changed. The first problem is what is waited for. */
  update([problem]: readonly Problem[]): void {
    if (existsSync(this.#subnetFile)) {
      this.clear();
      return;
    }
    if (problem === undefined) return;
    const { code, message, remedy } = problem;
    if (this.#last?.message === message) return;
    const since = this.#last?.code === code ? this.#last.since : uptimeSeconds();
    this.#last = { code, message, remedy, since };
    this.#isOver = false;
    const text = `${JSON.stringify({ message, remedy, since } satisfies WaitingNote)}\n`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
      writeAtomically(this.#path, { text, mode: 0o644 });
    } catch {
      // Where this cannot be written subnet.env cannot either, and that is told.
    }
  }

  /** Nothing is waited for, or nobody waits any more. */
  clear(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#last = undefined;
    try {
      rmSync(this.#path, { force: true });
    } catch {
      // As above.
    }
  }
}

/** Whole seconds since the boot, time asleep among them; asked without a file, of which there may be no more. */
function uptimeSeconds(): number {
  return Math.floor(uptime());
}
