/**
 * What a process takes of the machine, as /proc and its memory cgroup tell.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';

/** A process's memory in KiB and its CPU time in milliseconds. */
export interface ProcessUse {
  readonly rssKib: number;
  readonly anonKib: number;
  readonly peakKib: number;
  readonly cpuMs: number;
}

/** Reads it once. */
export function readProcess(pid: number): ProcessUse {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  // proc(5): utime and stime, in ticks of 10 ms, are the 14th and 15th fields.
  const cpuMs = (Number(stat[11]) + Number(stat[12])) * 10;
  return { rssKib: field('VmRSS'), anonKib: field('RssAnon'), peakKib: field('VmHWM'), cpuMs };
}

/** What all threads of a process have done so far. */
export interface Activity {
  /** On a processor, in nanoseconds. */
  readonly cpuNs: number;
  /** How often one of them went to sleep by itself, and so was woken. */
  readonly wakeUps: number;
}

/** Reads it once. A thread that ends between two readings takes its share with it. */
export function readActivity(pid: number): Activity {
  let [cpuNs, wakeUps] = [0, 0];
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const read = (file: string) => readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'utf8');
    try {
      cpuNs += Number(read('schedstat').split(' ')[0]);
      wakeUps += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(read('status'))?.[1]);
    } catch {
      // It has ended since the list was read.
    }
  }
  return { cpuNs, wakeUps };
}

/** Where memory cgroups of version 1 are; with version 2 the figures are `memory.current` and `memory.peak`. */
const ROOTS = [
  { path: '/sys/fs/cgroup/memory', now: 'memory.usage_in_bytes', peak: 'memory.max_usage_in_bytes' },
  { path: '/sys/fs/cgroup', now: 'memory.current', peak: 'memory.peak' },
] as const;

/** A memory cgroup of one's own. */
export class MemoryGroup implements Disposable {
  readonly #path: string;
  readonly #root: (typeof ROOTS)[number];

  private constructor(root: (typeof ROOTS)[number]) {
    this.#root = root;
    this.#path = `${root.path}/flannelette-bench-${process.pid}`;
    mkdirSync(this.#path);
  }

  /** `undefined` where there can be none. */
  static make(): MemoryGroup | undefined {
    const root = ROOTS.find(
      ({ path, now }) => existsSync(`${path}/cgroup.procs`) && existsSync(`${path}/${now}`),
    );
    try {
      return root === undefined ? undefined : new MemoryGroup(root);
    } catch {
      return undefined;
    }
  }

  /** What stands before a command that is to be charged to the group. */
  get wrapper(): string[] {
    return ['sh', '-c', `echo $$ > ${this.#path}/cgroup.procs && exec "$@"`, 'sh'];
  }

  read(): { readonly nowKib: number; readonly peakKib: number } {
    const kib = (file: string) => Number(readFileSync(`${this.#path}/${file}`, 'utf8')) / 1024;
    return { nowKib: kib(this.#root.now), peakKib: kib(this.#root.peak) };
  }

  /** Its processes have to be gone. */
  [Symbol.dispose](): void {
    rmdirSync(this.#path);
  }
}
