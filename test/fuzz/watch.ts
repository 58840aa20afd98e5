/**
 * Runs a target in a thread of its own and watches that it goes on.
 *
 * @module
 */
import { type Counts, INPUT_MS_MAX, type Run } from './fuzz.ts';
import type { Target } from './target.ts';
import type { Answer, Task } from './worker.ts';

/** How often the watchdog looks, and how long the same input may be seen: it was begun a little before. */
const LOOK_MS = 250;
const SAME_LOOKS_MAX = (2 * INPUT_MS_MAX) / LOOK_MS;

/** As `fuzz`, but an input that never ends is a finding, too. */
export async function fuzzWatched(target: Target, { seed, count }: Run): Promise<Counts> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(new URL('./worker.ts', import.meta.url));
  const startedAtMs = performance.now();
  const watchdog = new Watchdog(progress);
  try {
    return await new Promise<Counts>((resolve, reject) => {
      thread.onmessage = ({ data }: MessageEvent<Answer>) =>
        'counts' in data ? resolve(data.counts) : reject(new Error(data.failure));
      thread.onerror = (event) => reject(new Error(event.message));
      thread.postMessage({ target: target.name, seed, count, progress } satisfies Task);
      watchdog.start((index) => {
        const { bytes } = target.trial(seed, index);
        const finding = { target: target.name, seed, index, what: 'It hangs', bytes };
        const milliseconds = performance.now() - startedAtMs;
        resolve({ inputs: index + 1, accepted: 0, refused: 0, findings: [finding], milliseconds });
      });
    });
  } finally {
    watchdog.stop();
    thread.terminate();
  }
}

/** Looks whether a number stays the same for too long. */
class Watchdog {
  readonly #progress: Int32Array<SharedArrayBuffer>;
  #timer: Timer | undefined;
  #last = -1;
  #same = 0;

  constructor(progress: Int32Array<SharedArrayBuffer>) {
    this.#progress = progress;
  }

  start(hung: (index: number) => void): void {
    this.#timer = setInterval(() => {
      const index = Atomics.load(this.#progress, 0);
      this.#same = index === this.#last ? this.#same + 1 : 0;
      this.#last = index;
      if (this.#same >= SAME_LOOKS_MAX) hung(index);
    }, LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
