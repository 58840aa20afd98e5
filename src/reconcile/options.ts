/**
 * What the engine needs of the world.
 *
 * @module
 */
import type { Clock } from '../model/clock.ts';
import type { WhoIs } from './damage.ts';
import type { Pass } from './pass.ts';
import type { Target } from './target.ts';

/** See the module. */
export interface ReconcilerOptions {
  readonly target: Target;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Names who is at the other end of a fight. */
  readonly whoIs: WhoIs;
  /** Lets other work of the process go first. */
  readonly yieldNow: () => Promise<void>;
  /** Called after every pass that had something to look at. */
  readonly onPass: (pass: Pass, durationMs: number) => void;
  /** Called after every pass: the engine lives. */
  readonly onAlive: () => void;
  /** The audit is due: a look follows. */
  readonly onAudit: () => void;
  /** A large removal waits until the store has been read once more. */
  readonly onHeld: () => void;
}
