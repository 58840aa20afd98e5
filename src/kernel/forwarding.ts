/**
 * Whether this node passes packets on, for the status.
 *
 * @module
 */
import type { SysctlObject } from '../model/objects.ts';
import type { ForwardingStatus } from '../model/status.ts';
import { readText } from './files.ts';

/** Reads it anew, from the settings of this process's network namespace below `root`. */
export function readForwarding(settings: readonly SysctlObject[], root: string): ForwardingStatus {
  const found = settings.flatMap(({ name }) => {
    const value = readText(`${root}/${name}`)?.trim();
    return value === undefined ? [] : [[name.replaceAll('/', '.'), value] as const];
  });
  return { settings: Object.fromEntries(found), notes: [] };
}
