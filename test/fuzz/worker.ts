/**
 * The thread in which inputs are tried, so that one that hangs can be noticed from outside.
 *
 * @module
 */
import { type Counts, fuzz } from './fuzz.ts';
import { TARGETS } from './targets.ts';

declare const self: Worker;

/** What the thread is to do. */
export interface Task {
  readonly target: string;
  readonly seed: number;
  readonly count: number;
  /** Its one element is the number of the input that is being tried. */
  readonly progress: Int32Array<SharedArrayBuffer>;
}

/** What the thread says when it is done. */
export type Answer = { readonly counts: Counts } | { readonly failure: string };

self.onmessage = async ({ data }: MessageEvent<Task>) => {
  self.postMessage(await work(data));
};

async function work({ target: name, seed, count, progress }: Task): Promise<Answer> {
  const target = TARGETS.find((each) => each.name === name);
  if (target === undefined) return { failure: `No target '${name}'` };
  try {
    return { counts: await fuzz(target, { seed, count }, (index) => Atomics.store(progress, 0, index)) };
  } catch (error) {
    return { failure: String(error) };
  }
}
