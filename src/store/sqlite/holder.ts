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

/** This process. */
export function thisHolder(): Holder {
  return { pid: process.pid, bootId: readBootId() };
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
