/**
 * Which process is behind a netlink port.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { printable } from '../model/printable.ts';

/** The most that `kernel.pid_max` can be (proc(5)). */
const PID_MAX = 4_194_304;

/**
 * The process that a netlink port is named after, such as `bird, process 812`. A process's first socket has its
 * process id as port (netlink(7)); of further sockets, and of processes that are gone, nothing is known.
 */
export function processAtPort(portId: number, proc = '/proc'): string | undefined {
  if (portId <= 0 || portId > PID_MAX) return undefined;
  try {
    const name = readFileSync(`${proc}/${portId}/comm`, 'utf8').trim();
    return `${printable(name)}, process ${portId}`;
  } catch {
    return undefined;
  }
}
