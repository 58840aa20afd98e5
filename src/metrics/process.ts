/**
 * This process as the kernel sees it, read when somebody asks (proc(5)).
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessMeasures } from '../model/measures.ts';

/** USER_HZ, in which the kernel tells times: 100 on every Linux that we run on. */
const TICKS_PER_SECOND = 100;

/** Reads everything. Never throws. */
export function readProcess(): ProcessMeasures {
  const status = read('/proc/self/status');
  const kib = (name: string) => times(1024, numberIn(status, new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm')));
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    startSeconds: startSeconds(),
    residentBytes: kib('VmRSS'),
    anonymousBytes: kib('RssAnon'),
    virtualBytes: kib('VmSize'),
    openFiles: openFiles(),
    openFilesMax: numberIn(read('/proc/self/limits'), /^Max open files\s+(\d+)/m),
  };
}

/** By the wall clock as it stands now: a Pi sets it late. */
function startSeconds(): number | undefined {
  const boot = numberIn(read('/proc/stat'), /^btime (\d+)$/m);
  // The name in parentheses may hold anything; what follows begins with the third field, and this is the 22nd.
  const ticks = read('/proc/self/stat').split(') ').at(-1)?.split(' ')[19];
  return boot === undefined || ticks === undefined ? undefined : boot + Number(ticks) / TICKS_PER_SECOND;
}

/** Without the one that it takes to count them. */
function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

function numberIn(text: string, pattern: RegExp): number | undefined {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

function times(factor: number, value: number | undefined): number | undefined {
  return value === undefined ? undefined : factor * value;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
