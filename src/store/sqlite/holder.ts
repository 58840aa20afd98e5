/**
 * The process that holds a lease.
 *
 * @module
 */
import { readFileSync } from 'node:fs';

/** A process, by what stays unique even if its number is used again after a reboot. */
export interface Holder {
  readonly pid: number;
  /** `/proc/sys/kernel/random/boot_id`; empty if that cannot be read. */
  readonly bootId: string;
}

/** Whether a holder runs; anything but a process of this boot does not. */
export type IsAlive = (holder: Holder) => boolean;

/** This process. */
export function thisHolder(): Holder {
  return { pid: process.pid, bootId: readBootId() };
}

/** Whether two are the same process. */
export function isSameHolder(a: Holder, b: Holder): boolean {
  return a.pid === b.pid && a.bootId === b.bootId;
}

/** A holder in words. */
export function holderText({ pid, bootId }: Holder): string {
  return `process ${pid} of boot ${bootId.slice(0, 36)}`;
}

/**
 * Judges holders by `/proc`: one runs if it is of this boot, has not ended, and is a program of our name, since a
 * number is used again. A process that we may not see counts as ended.
 */
export function aliveHere(self: Holder, proc = '/proc'): IsAlive {
  const own = readStat(proc, self.pid)?.name;
  return ({ pid, bootId }) => {
    if (bootId === '' || bootId !== self.bootId || !Number.isSafeInteger(pid) || pid <= 0) return false;
    const stat = readStat(proc, pid);
    return stat !== undefined && stat.name === own && !ENDED.has(stat.state);
  };
}

/** Files of other names, such as `flannelette-linux-arm64`, are this program as well. */
const PROGRAM = 'flannelette';

/** Zombie and dead (proc_pid_stat(5)). */
const ENDED: ReadonlySet<string> = new Set(['Z', 'X', 'x']);

function readStat(proc: string, pid: number): { readonly name: string; readonly state: string } | undefined {
  try {
    const text = readFileSync(`${proc}/${pid}/stat`, 'utf8');
    // The name may hold anything, parentheses too.
    const end = text.lastIndexOf(')');
    const name = text.slice(text.indexOf('(') + 1, end);
    return { name: name.startsWith(PROGRAM) ? PROGRAM : name, state: text.charAt(end + 2) };
  } catch {
    return undefined;
  }
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
