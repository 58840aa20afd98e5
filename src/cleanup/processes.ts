/**
 * Programs that manage the pod network of this network namespace, by what `/proc` tells.
 *
 * @module
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** The processes of the programs, if any run. */
export interface Managers {
  /** An agent of ours. */
  readonly agent: number | undefined;
  readonly flanneld: number | undefined;
}

/** Looks through all processes that this one may see, but for itself. */
export function findManagers(): Managers {
  const own = namespaceOf('self');
  let managers: Managers = { agent: undefined, flanneld: undefined };
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const kind = kindOf(commandLineOf(name));
    if (kind === undefined || managers[kind] !== undefined) continue;
    if (own !== undefined && namespaceOf(name) === own) managers = { ...managers, [kind]: Number(name) };
  }
  return managers;
}

/** What a command line starts. Like flanneld, ours runs as an agent if it is told nothing else. */
export function kindOf([program = '', command = 'run']: readonly string[]): keyof Managers | undefined {
  const name = basename(program);
  if (name === 'flanneld') return 'flanneld';
  const isOurs = /^flannelette(?:-linux-\w+)?$/.test(name);
  return isOurs && (command === 'run' || command.startsWith('-')) ? 'agent' : undefined;
}

/** Empty for kernel threads and for processes that have ended meanwhile. */
function commandLineOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0$/, '').split('\0');
  } catch {
    return [];
  }
}

/** The name of a process's network namespace; `undefined` if this process may not see it. */
function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}
