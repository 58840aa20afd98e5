/**
 * A pause that can be ended.
 *
 * @module
 */
import type { Clock } from '../../model/clock.ts';

/** Waits by the monotonic clock, or until the signal is given. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      timer.cancel();
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = clock.schedule(delayMs, wake);
    signal.addEventListener('abort', wake);
  });
}
